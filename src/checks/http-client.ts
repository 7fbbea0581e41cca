/**
 * One HTTP request, asked once. What axios throws carries the whole request with its headers (axios#2648), so nothing of
 * it passes this file but its code.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import axios, { isAxiosError, type AxiosResponse } from 'axios';
import { milliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import type { HttpRequest } from '../domain/specs/check.js';
import { meetHiddenValues } from '../processes/hidden-files.js';

/** Health answers are a few kilobytes; what is larger is the wrong page, and must not fill the worker's memory. */
export const LARGEST_BODY = 1_048_576;

export type Outgoing = Pick<HttpRequest, 'method' | 'url' | 'headers' | 'json' | 'form' | 'timeout' | 'plaintext'> & {
  /** Something was filled in that nobody else may read. */
  readonly carriesSecret?: boolean;
};

export interface Reply {
  readonly status: number;
  readonly body: string;
  header(name: string): string | undefined;
  readonly setCookies: readonly string[];
}

// A new connection for every request: a kept one may lead to an instance that a deploy has just stopped, and always to the
// same one behind a balancer.
const agents = { httpAgent: new HttpAgent({ keepAlive: false }), httpsAgent: new HttpsAgent({ keepAlive: false }) };

/**
 * Follows no redirect. The time is for the whole exchange, so an answer that drips in does not outlive it.
 * @throws KeyturnError `no-answer` (retryable) saying why; when `signal` aborts, its reason.
 */
export async function send(request: Outgoing, signal: AbortSignal): Promise<Reply> {
  signal.throwIfAborted();
  const time = milliseconds(request.timeout);
  const url = parse(request.url);
  demandEncryption(url, request);
  const deadline = AbortSignal.timeout(time);
  try {
    const response = await axios.request<string>({
      method: request.method,
      url: request.url,
      headers: headersOf(request),
      data: bodyOf(request),
      signal: AbortSignal.any([signal, deadline]),
      ...agents,
      ...(goesDirectly(url, request) ? { proxy: false as const } : {}),
      maxRedirects: 0,
      maxContentLength: LARGEST_BODY,
      maxBodyLength: LARGEST_BODY,
      responseType: 'text',
      transformResponse: (data: unknown) => data,
      validateStatus: () => true,
    });
    // An application may show its settings, above all when it is broken.
    await meetHiddenValues();
    return reply(response);
  } catch (error) {
    signal.throwIfAborted();
    const why = deadline.aborted ? `no answer within ${request.timeout}` : reason(error);
    // No `cause`: it would bring the headers along.
    throw new KeyturnError('no-answer', why, { retryable: true });
  }
}

function parse(url: string): URL {
  // The constructor's error would repeat the address, and the address may carry a filled-in credential.
  if (!URL.canParse(url) || !/^https?:\/\//i.test(url)) {
    throw new KeyturnError('no-answer', 'its address is not an http:// or https:// URL', {
      hint: 'write the whole address, e.g. http://localhost:3000/api/health',
    });
  }
  return new URL(url);
}

function headersOf(request: Outgoing): Record<string, string> {
  const headers: Record<string, string> = { 'User-Agent': 'keyturn', Accept: '*/*' };
  if (request.json !== undefined) headers['Content-Type'] = 'application/json';
  else if (request.form) headers['Content-Type'] = 'application/x-www-form-urlencoded';
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    for (const present of Object.keys(headers)) {
      if (present.toLowerCase() === name.toLowerCase()) Reflect.deleteProperty(headers, present);
    }
    headers[name] = value;
  }
  return headers;
}

function bodyOf(request: Outgoing): string | undefined {
  if (request.json !== undefined) return JSON.stringify(request.json);
  return request.form ? new URLSearchParams(request.form).toString() : undefined;
}

function reply(response: AxiosResponse<unknown>): Reply {
  const headers = new Map<string, string>();
  let setCookies: string[] = [];
  for (const [name, value] of Object.entries(response.headers as Record<string, unknown>)) {
    if (name.toLowerCase() === 'set-cookie' && Array.isArray(value)) setCookies = value.map(String);
    else if (typeof value === 'string') headers.set(name.toLowerCase(), value);
  }
  return {
    status: response.status,
    body: typeof response.data === 'string' ? response.data : '',
    header: (name) => headers.get(name.toLowerCase()),
    setCookies,
  };
}

/** @throws KeyturnError `credentials-in-clear-text`; nothing was sent. */
function demandEncryption({ protocol, hostname }: URL, { carriesSecret, plaintext, headers }: Outgoing): void {
  const names = Object.keys(headers ?? {}).map((name) => name.toLowerCase());
  const secret = carriesSecret === true || names.includes('authorization') || names.includes('cookie');
  if (protocol !== 'http:' || !secret || plaintext === 'allowed' || isLocal(hostname)) return;
  throw new KeyturnError(
    'credentials-in-clear-text',
    'it would carry a credential over http:// to another host: not sent',
    {
      hint: "write https://, or, where the network in between is yours alone, `plaintext: allowed` in the inventory's request",
    },
  );
}

/** A proxy of the environment reads all of http://; of https:// it sees nothing but the host. */
function goesDirectly({ protocol, hostname }: URL, { plaintext }: Outgoing): boolean {
  return isLocal(hostname) || (protocol === 'http:' && plaintext !== 'allowed');
}

/** A proxy configured for the way out cannot reach this machine's own services. */
function isLocal(hostname: string): boolean {
  return /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\]|0\.0\.0\.0)$/i.test(hostname);
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed before an answer',
  EPIPE: 'connection closed before an answer',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name not found for now',
  ETIMEDOUT: 'connecting took too long',
  EHOSTUNREACH: 'host not reachable',
  ENETUNREACH: 'network not reachable',
  ERR_INVALID_CHAR: 'a header holds a character that HTTP does not allow',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
};

function reason(error: unknown): string {
  if (isAxiosError(error) && error.message.startsWith('maxContentLength')) {
    return `answer larger than ${LARGEST_BODY} bytes`;
  }
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string') return 'no usable answer';
  return REASONS[code] ?? `no usable answer (${code})`;
}
