/**
 * Requests one after the other, as a person's browser or app would make them: log in, refresh, impersonate (runbook 002,
 * "Verify"). Cookies are kept between the steps; a step may take values along for those that follow.
 */
import { CookieJar } from 'tough-cookie';
import { KeyturnError } from '../domain/errors.js';
import { SecretValue } from '../domain/secret-value.js';
import type { HttpFlowSpec } from '../domain/specs/check.js';
import type { CheckAnswer, CheckContext } from './check.js';
import { send, type Reply } from './http-client.js';
import { label } from './http.js';
import { Origins } from './origins.js';
import { resolvePointer } from './json-pointer.js';
import { parseJson, replyMismatch } from './reply-expectation.js';
import { describe, oneLine } from '../processes/safe-text.js';
import { fillRequest } from './template.js';

type Step = HttpFlowSpec['steps'][number];

export interface FlowRun {
  readonly answer: CheckAnswer;
  /** As it stood after the last step. */
  readonly jar: CookieJar;
  /** What the flow may fill in after its last step: inputs and captured values, by placeholder. */
  readonly values: ReadonlyMap<string, SecretValue>;
  /** Where its requests may go, for one that follows. */
  readonly origins: Origins;
}

/** The answer's `captured` is there also when a later step failed. Signs in anew each time: no state outlives a run. */
export async function runFlow(
  flow: Pick<HttpFlowSpec, 'inputs' | 'steps' | 'origins'>,
  context: CheckContext,
): Promise<FlowRun> {
  // Names such as "localhost" and "db.internal" are no public suffixes here, and an app's odd cookie is not ours to judge.
  const jar = new CookieJar(undefined, { rejectPublicSuffixes: false, looseMode: true });
  const values = new Map<string, SecretValue>();
  const captured = new Map<string, SecretValue>();
  const origins = new Origins(flow.origins);
  const done: string[] = [];
  const answer = (passed: boolean, text: string): FlowRun => ({
    answer: { passed, summary: oneLine(text), captured },
    jar,
    values,
    origins,
  });
  let at = 'inputs';
  try {
    for (const [name, ref] of Object.entries(flow.inputs ?? {})) {
      values.set(`inputs.${name}`, await context.resolveCredential(ref));
    }
    for (const step of flow.steps) {
      at = `step "${step.name}": ${label(step)}`;
      const filled = fillRequest(step, values);
      origins.admit(step.url, filled.url);
      const reply = await sendWithJar(filled, jar, context.signal);
      const wrong = replyMismatch(reply, step.expect);
      if (wrong !== null) return answer(false, `${at} answered ${reply.status}${wrong}${after(done)}`);
      for (const [name, source] of Object.entries(step.capture ?? {})) {
        const found = await capture(source, reply, jar, filled.url);
        if (typeof found === 'string') {
          return answer(false, `${at} answered ${reply.status}, but ${name} (${source}) is ${found}${after(done)}`);
        }
        values.set(`captured.${name}`, found.value);
        captured.set(name, found.value);
      }
      done.push(`${step.name} ${reply.status}`);
    }
    return answer(true, done.join(', '));
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return answer(false, `${at}: ${error.message}${after(done)}`);
  }
}

export async function askHttpFlow(check: HttpFlowSpec, context: CheckContext): Promise<CheckAnswer> {
  return (await runFlow(check, context)).answer;
}

/** A step that writes its own Cookie header means it: the jar then adds nothing. */
async function sendWithJar(step: Step, jar: CookieJar, signal: AbortSignal): Promise<Reply> {
  const own = Object.keys(step.headers ?? {}).some((name) => name.toLowerCase() === 'cookie');
  const cookies = own || !URL.canParse(step.url) ? '' : await jar.getCookieString(step.url);
  const reply = await send(cookies ? { ...step, headers: { ...step.headers, Cookie: cookies } } : step, signal);
  for (const cookie of reply.setCookies) await jar.setCookie(cookie, step.url, { ignoreError: true });
  return reply;
}

/** @returns the value, or in words why there is none. Only texts, numbers and booleans can be carried along. */
async function capture(
  source: string,
  reply: Reply,
  jar: CookieJar,
  url: string,
): Promise<{ value: SecretValue } | string> {
  const [kind, rest] = [source.slice(0, source.indexOf(':')), source.slice(source.indexOf(':') + 1)];
  const found: unknown =
    kind === 'header'
      ? reply.header(rest)
      : kind === 'cookie'
        ? (await jar.getCookies(url)).find((cookie) => cookie.key === rest)?.value
        : resolvePointer(parseJson(reply.body), rest);
  if (found === undefined || found === null || found === '') return 'missing';
  if (typeof found !== 'string' && typeof found !== 'number' && typeof found !== 'boolean') {
    return `${describe(found)}, not one value`;
  }
  return { value: new SecretValue(String(found)) };
}

function after(done: readonly string[]): string {
  return done.length > 0 ? ` (after ${done.join(', ')})` : '';
}
