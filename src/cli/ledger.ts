/** `keyturn ledger migrate`: the ledger's tables, made or brought up to date by their owner, and the worker's rights on them. */
import { KeyturnError } from '../domain/errors.js';
import { migrateLedger } from '../ledger/ledger-owner.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';

export interface LedgerMigrateOptions {
  readonly grantTo?: string;
}

/** What the shell says counts: `keyturn up` sees to a ledger of its own. */
export async function ledgerMigrate({ console, env }: Context, { grantTo }: LedgerMigrateOptions): Promise<ExitCode> {
  const ownerUrl = env['KEYTURN_LEDGER_OWNER_URL'];
  if (!ownerUrl) {
    throw new KeyturnError('setting-missing', 'KEYTURN_LEDGER_OWNER_URL is not set', {
      hint: "set it, for this command only, to the ledger's URL with the user who shall own its tables: not the worker's",
    });
  }
  const worker = grantTo ?? userIn(env['KEYTURN_DATABASE_URL']);
  if (worker === null) {
    throw new KeyturnError('bad-usage', 'which role is the worker?', {
      hint: 'keyturn ledger migrate --grant-to ROLE: the user of its KEYTURN_DATABASE_URL',
    });
  }
  await migrateLedger(ownerUrl, worker);
  console.document({ grantedTo: worker });
  if (!console.json)
    console.say(`the ledger's tables are up to date; "${worker}" may add rows and read them, nothing else`);
  return EXIT.done;
}

/** @returns null where there is no URL, or it names nobody. */
export function userIn(url: string | undefined): string | null {
  if (!url) return null;
  try {
    return decodeURIComponent(new URL(url).username) || null;
  } catch {
    return null;
  }
}
