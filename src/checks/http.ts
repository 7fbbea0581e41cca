import { KeyturnError } from '../domain/errors.js';
import type { HttpRequest } from '../domain/specs/check.js';
import type { CheckAnswer, CheckContext } from './check.js';
import { send, type Outgoing, type Reply } from './http-client.js';
import { replyMismatch } from './reply-expectation.js';
import { oneLine } from '../processes/safe-text.js';

/** `GET http://localhost:3000/api/health answered 503, expected 200`. */
export async function askHttp(check: HttpRequest, context: CheckContext): Promise<CheckAnswer> {
  let reply: Reply;
  try {
    reply = await send(check, context.signal);
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return { passed: false, summary: oneLine(`${label(check)}: ${error.message}`) };
  }
  const wrong = replyMismatch(reply, check.expect);
  return { passed: wrong === null, summary: oneLine(`${label(check)} answered ${reply.status}${wrong ?? ''}`) };
}

/** The address as the inventory has it, placeholders and all: what is filled in stays out of every message. */
export function label(request: Pick<Outgoing, 'method' | 'url'>): string {
  return `${request.method} ${request.url}`;
}
