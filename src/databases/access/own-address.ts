/** Whether a stored value gets in where it says itself: its own host, port, database and options, a pooler's as well as a server's. */
import type { SecretValue } from '../../domain/secret-value.js';
import { KeyturnError } from '../../domain/errors.js';
import { DatabaseError, withConnection } from '../connection.js';
import { isRefusal } from './replay.js';

/** An address that answers at all answers in milliseconds. */
const LIMIT_MS = 5_000;
/** An older PgBouncer says so of a user that is not in its list. */
const PROTOCOL_VIOLATION = '08P01';

export type Answer =
  | { readonly is: 'let in' }
  | { readonly is: 'refused'; readonly error: DatabaseError }
  /** Not reached, or not understood by this driver: nothing is known. */
  | { readonly is: 'unknown'; readonly why: string };

/** Reads nothing and changes nothing. @throws the signal's reason when it aborts. */
export async function tryOwnAddress(value: SecretValue, label: string, signal: AbortSignal): Promise<Answer> {
  const target = { url: value, label, node: null, database: null, login: null };
  try {
    await withConnection(target, { limit: LIMIT_MS, signal }, (client) => client.query('SELECT 1'));
    return { is: 'let in' };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof KeyturnError)) throw error;
    if (isRefusal(error) || (error instanceof DatabaseError && error.sqlState === PROTOCOL_VIOLATION)) {
      return { is: 'refused', error };
    }
    return { is: 'unknown', why: error.message };
  }
}
