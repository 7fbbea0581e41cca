/** A ledger as it is deployed: one role owns its tables, another adds rows and reads them. */
import pg from 'pg';
import { migrateLedger } from '../../src/ledger/ledger-owner.js';
import { freshDatabase, freshRoleName } from './servers.js';

export interface FreshLedger {
  /** The database's name. */
  readonly name: string;
  /** The worker's. */
  readonly url: string;
  /** Whose role that is. */
  readonly role: string;
  /** Of the administrator, who owns the tables. */
  readonly ownerUrl: string;
}

const PASSWORD = 'a-long-test-password';

/** @param migrated its tables are there, and the worker's role is granted. */
export async function freshLedger(prefix: string, { migrated = true } = {}): Promise<FreshLedger> {
  const { name, url: ownerUrl } = await freshDatabase(prefix);
  const role = freshRoleName(`${prefix}_worker`);
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await client.query(`CREATE ROLE ${pg.escapeIdentifier(role)} LOGIN PASSWORD ${pg.escapeLiteral(PASSWORD)}`);
  } finally {
    await client.end();
  }
  if (migrated) await migrateLedger(ownerUrl, role);
  const url = new URL(ownerUrl);
  url.username = role;
  url.password = PASSWORD;
  return { name, url: url.href, role, ownerUrl };
}
