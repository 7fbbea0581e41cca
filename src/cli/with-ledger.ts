/** A verb's connection to the ledger: opened, used, closed. */
import { KeyturnError } from '../domain/errors.js';
import type { Ledger } from '../ledger/ledger.js';
import { PostgresLedger } from '../ledger/postgres-ledger.js';
import type { Context } from './context.js';
import { readSettings } from './settings.js';

/** @throws KeyturnError `not-configured` or `ledger-unavailable`, and what `use` throws. */
export async function withLedger<T>(context: Context, use: (ledger: Ledger) => Promise<T>): Promise<T> {
  const { databaseUrl } = await readSettings(context);
  if (databaseUrl === null) {
    throw new KeyturnError('not-configured', 'no address of a ledger is known', {
      hint: 'set KEYTURN_DATABASE_URL, or start everything embedded with `npm start`',
    });
  }
  const ledger = new PostgresLedger(databaseUrl);
  try {
    return await use(ledger);
  } finally {
    await ledger.close();
  }
}
