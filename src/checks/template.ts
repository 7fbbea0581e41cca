/** Fills `${inputs.NAME}`, `${captured.NAME}` and `${value}` into a request's address, headers, JSON and form. */
import { KeyturnError } from '../domain/errors.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { Outgoing } from './http-client.js';

const PLACEHOLDER = /\$\{(value|(?:inputs|captured)\.[A-Za-z0-9_.-]+)\}/g;

/** Keys as they stand between the braces: `inputs.password`, `captured.token`, `value`. */
export type Values = ReadonlyMap<string, SecretValue>;

/**
 * In an address a value is percent-encoded, so that it stays one path segment or one query parameter; unless the address
 * begins with it (a captured `Location`). Everywhere else it is put in as it is.
 * @throws KeyturnError `unknown-placeholder` naming it.
 */
export function fillRequest<T extends Outgoing>(request: T, values: Values): T {
  const filledIn = new Set<string>();
  const put = (text: string, encode: (value: string, at: number) => string): string =>
    fill(text, values, (value, at) => {
      filledIn.add(value);
      return encode(value, at);
    });
  const raw = (text: string): string => put(text, (value) => value);
  const filled = {
    ...request,
    url: put(request.url, (value, at) => (at === 0 ? value : encodeURIComponent(value))),
    ...(request.headers && { headers: mapValues(request.headers, raw) }),
    ...(request.json !== undefined && { json: fillJson(request.json, raw) }),
    ...(request.form && { form: mapValues(request.form, raw) }),
  };
  return filledIn.size > 0 ? { ...filled, carriesSecret: true } : filled;
}

/** Whether the request carries the placeholder at all: a proof that presents nothing proves nothing. */
export function mentions(request: Outgoing, key: string): boolean {
  const { url, headers, json, form } = request;
  return JSON.stringify([url, Object.values(headers ?? {}), json ?? null, Object.values(form ?? {})]).includes(
    `\${${key}}`,
  );
}

function fill(text: string, values: Values, encode: (value: string, at: number) => string): string {
  return text.replace(PLACEHOLDER, (placeholder, key: string, at: number) => {
    const value = values.get(key);
    if (!value) {
      throw new KeyturnError('unknown-placeholder', `nothing is known to fill in for ${placeholder}`, {
        hint: 'an input must be listed under "inputs", a captured value in an earlier step',
      });
    }
    return encode(value.reveal(), at);
  });
}

function mapValues(record: Readonly<Record<string, string>>, change: (text: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([name, text]) => [name, change(text)]));
}

type Json = Exclude<Outgoing['json'], undefined>;

function fillJson(json: Json, change: (text: string) => string): Json {
  if (typeof json === 'string') return change(json);
  if (Array.isArray(json)) return json.map((item) => fillJson(item, change));
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(Object.entries(json).map(([name, item]) => [name, fillJson(item, change)]));
}
