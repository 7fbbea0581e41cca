/** Whether a reply is what the inventory expects. Bodies are looked into, never shown. */
import type { ResponseExpectation } from '../domain/specs/check.js';
import { mismatch } from './expectation.js';
import type { Reply } from './http-client.js';
import { resolvePointer } from './json-pointer.js';

/** @returns null when met, else in words what is wrong, beginning after "answered 200". */
export function replyMismatch(reply: Reply, expect: ResponseExpectation = {}): string | null {
  return statusMismatch(reply.status, expect.status) ?? bodyMismatch(reply, expect);
}

/** Without a status, any 2xx will do. */
function statusMismatch(status: number, expected: ResponseExpectation['status']): string | null {
  if (expected === undefined) return status >= 200 && status < 300 ? null : ', expected 2xx';
  const allowed = typeof expected === 'number' ? [expected] : expected;
  return allowed.includes(status) ? null : `, expected ${allowed.join(' or ')}`;
}

export function bodyMismatch(reply: Reply, expect: ResponseExpectation): string | null {
  if (expect.contains !== undefined && !reply.body.includes(expect.contains)) {
    return ` without the text ${JSON.stringify(expect.contains)}`;
  }
  const pointers = Object.entries(expect.json ?? {});
  if (pointers.length === 0) return null;
  const document = parseJson(reply.body);
  if (document === undefined) return ' with a body that is not JSON';
  for (const [pointer, expected] of pointers) {
    const wrong = mismatch(expected, resolvePointer(document, pointer));
    if (wrong !== null) return `, but ${pointer || 'the body'} is ${wrong}`;
  }
  return null;
}

/** @returns undefined for what is not JSON. */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}
