/** What only the owner of the ledger's tables does: makes them, and lets the worker's role add rows and read them. */
import pg from 'pg';
import type { PoolClient } from 'pg';
import { KeyturnError } from '../domain/errors.js';
import { LedgerConnection } from './ledger-connection.js';
import { migrate } from './migrations.js';
import { grantsTo } from './worker-rights.js';

/**
 * Idempotent, and safe when several do it at once.
 * @param ownerUrl of a role that no worker signs in as. @param worker the role that is granted; null: nobody.
 * @throws KeyturnError `ledger-misconfigured` when there is no such role, or it is the owner itself, `ledger-newer`, `ledger-unavailable`.
 */
export async function migrateLedger(ownerUrl: string, worker: string | null): Promise<void> {
  const connection = new LedgerConnection(ownerUrl);
  try {
    await connection.use('unknown', async (client) => {
      if (worker !== null) await demandOther(client, worker);
      await migrate(client);
      if (worker !== null) await grant(client, pg.escapeIdentifier(worker));
    });
  } finally {
    await connection.close();
  }
}

async function demandOther(client: PoolClient, worker: string): Promise<void> {
  const { rows } = await client.query<{ there: boolean; same: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1) AS there, current_user = $1 AS same`,
    [worker],
  );
  if (rows[0]?.same) {
    throw new KeyturnError(
      'ledger-misconfigured',
      `"${worker}" owns the ledger's tables: the worker may not be the same role`,
      {
        hint: 'an owner can change every row: let the worker sign in as another role, and name that one',
      },
    );
  }
  if (!rows[0]?.there) {
    throw new KeyturnError('ledger-misconfigured', `there is no role "${worker}" on the ledger's server`, {
      hint: `as an administrator, in psql: CREATE ROLE ${pg.escapeIdentifier(worker)} LOGIN; then \\password ${worker}`,
    });
  }
}

/** All of it in one statement list, which is one transaction: at no moment a running worker is without its rights. */
async function grant(client: PoolClient, worker: string): Promise<void> {
  const statements = [
    `REVOKE ALL ON SCHEMA keyturn FROM ${worker}`,
    `REVOKE ALL ON ALL TABLES IN SCHEMA keyturn FROM ${worker}`,
    ...grantsTo(worker),
  ];
  await client.query(statements.join('; '));
}
