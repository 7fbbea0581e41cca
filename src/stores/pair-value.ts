/** User and password as one value: the JSON text `["user","password"]`, which a `pair` shows in two variables. */
import { KeyturnError } from '../domain/errors.js';

export type Pair = readonly [user: string, password: string];

/** @throws KeyturnError `malformed` for anything else; the message never shows it. */
export function parsePair(text: string): Pair {
  const value = parseJson(text);
  if (Array.isArray(value) && value.length === 2) {
    const [user, password] = value as unknown[];
    if (typeof user === 'string' && typeof password === 'string' && user !== '' && password !== '') {
      return [user, password];
    }
  }
  throw new KeyturnError('malformed', 'the value is not a pair of user and password', {
    hint: 'it is the JSON text ["user","password"]',
  });
}

/** Always in the same characters, so that equal pairs are equal texts. */
export function pairText(user: string, password: string): string {
  return JSON.stringify([user, password]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No cause: a SyntaxError quotes the text.
    return undefined;
  }
}
