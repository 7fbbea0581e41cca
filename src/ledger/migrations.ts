/** The ledger's schema, in order. A migration that was released is never edited; a change is a new one at the end. */
import type { PoolClient } from 'pg';
import { KeyturnError } from '../domain/errors.js';
import { howToMigrate } from './ledger-errors.js';

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'rotations',
    sql: `
      CREATE TABLE keyturn.rotations (
        sequence      bigint PRIMARY KEY CHECK (sequence > 0),
        request_id    text NOT NULL UNIQUE,
        system        text NOT NULL,
        environment   text NOT NULL,
        secret        text NOT NULL,
        kind          text NOT NULL,
        operator      text NOT NULL,
        method        text NOT NULL,
        reason        text NOT NULL,
        outcome       text NOT NULL,
        proof         text,
        started_at    timestamptz(3) NOT NULL,
        finished_at   timestamptz(3) NOT NULL,
        next_due_at   timestamptz(3),
        notes         text NOT NULL,
        evidence      jsonb NOT NULL,
        recorded_at   timestamptz(3) NOT NULL,
        previous_hash text NOT NULL CHECK (previous_hash ~ '^[0-9a-f]{64}$'),
        -- Two rows after the same one would be a fork.
        CONSTRAINT rotations_no_fork UNIQUE (previous_hash),
        hash          text NOT NULL UNIQUE CHECK (hash ~ '^[0-9a-f]{64}$')
      );
      COMMENT ON TABLE keyturn.rotations IS
        'Who rotated what, when, how, with which evidence. Append-only and hash-chained: keyturn log --verify';
      CREATE INDEX rotations_of_secret ON keyturn.rotations (system, environment, secret, sequence DESC);

      CREATE FUNCTION keyturn.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'the rotation ledger is append-only: % refused', TG_OP USING ERRCODE = 'KT001';
      END $$;
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON keyturn.rotations
        FOR EACH ROW EXECUTE FUNCTION keyturn.refuse_change();
      CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON keyturn.rotations
        FOR EACH STATEMENT EXECUTE FUNCTION keyturn.refuse_change();
      -- ALWAYS: session_replication_role = replica would skip ordinary triggers.
      ALTER TABLE keyturn.rotations ENABLE ALWAYS TRIGGER append_only;
      ALTER TABLE keyturn.rotations ENABLE ALWAYS TRIGGER append_only_truncate;
    `,
  },
];

/** "keyturn" as a number, and 1: whoever migrates takes this lock first. */
const MIGRATION_LOCK = '7738151096083509761';

/**
 * Applies what is missing, all or nothing; what is up to date is not written to.
 * @param client with no transaction open. @throws KeyturnError `ledger-newer`, `ledger-misconfigured` where the schema is another
 * role's: who owns it could change what is made in it. And what PostgreSQL throws.
 */
export async function migrate(client: PoolClient, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  // Before anything in the schema is read: a table of somebody else's may run their code as whoever reads it.
  await demandOwnSchema(client);
  if (missing(await appliedVersions(client), migrations).length === 0) return;
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1::bigint)', [MIGRATION_LOCK]);
    // Read again: somebody else may have been at it while this one waited for the lock.
    await demandOwnSchema(client);
    const applied = await appliedVersions(client);
    await client.query('CREATE SCHEMA IF NOT EXISTS keyturn');
    // And again: made by somebody else in between, it is not written to.
    await demandOwnSchema(client);
    await client.query(`CREATE TABLE IF NOT EXISTS keyturn.migrations (
      version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
    for (const migration of missing(applied, migrations)) {
      await client.query(migration.sql);
      const values = [migration.version, migration.name];
      await client.query('INSERT INTO keyturn.migrations (version, name) VALUES ($1, $2)', values);
    }
    await client.query('COMMIT');
  } catch (error) {
    // The connection may be what failed; its error is the one to tell.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** For whoever may not migrate. @throws KeyturnError `ledger-misconfigured`, `ledger-newer`. */
export async function demandTables(client: PoolClient): Promise<void> {
  const applied = await appliedVersions(client);
  if (missing(applied, MIGRATIONS).length === 0) return;
  const { rows } = await client.query<{ role: string }>('SELECT current_user::text AS role');
  const message =
    applied.length === 0 ? 'the ledger has no tables yet' : 'the ledger has the tables of an older Keyturn';
  throw new KeyturnError('ledger-misconfigured', message, { hint: howToMigrate(rows[0]?.role) });
}

async function demandOwnSchema(client: PoolClient): Promise<void> {
  const { rows } = await client.query<{ what: string; owner: string; own: boolean; me: string }>(
    `SELECT what, pg_get_userbyid(owner)::text AS owner, owner = r.oid AS own, current_user::text AS me
       FROM (SELECT 'schema' AS what, nspowner AS owner FROM pg_catalog.pg_namespace WHERE nspname = 'keyturn'
             UNION ALL
             SELECT 'table ' || relname, relowner FROM pg_catalog.pg_class
              WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'keyturn') AND relkind IN ('r', 'p', 'v', 'm', 'f')) AS things,
            pg_catalog.pg_roles r WHERE r.rolname = current_user`,
  );
  const foreign = rows.find(({ own }) => !own);
  if (!foreign) return;
  throw new KeyturnError(
    'ledger-misconfigured',
    `the ledger's ${foreign.what} belongs to "${foreign.owner}", not to "${foreign.me}"`,
    {
      hint: `sign in as its owner; if that is the worker's role, give schema, tables and function another owner first`,
    },
  );
}

/**
 * Whether there is a table is read from the catalogue's rows. `to_regclass` and `IF NOT EXISTS` answer from what the session
 * remembers, also that something was not there, and an advisory lock does not make it forget; reading a table does.
 */
async function appliedVersions(client: PoolClient): Promise<number[]> {
  const there = await client.query(
    `SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'keyturn' AND tablename = 'migrations'`,
  );
  if (there.rows.length === 0) return [];
  const { rows } = await client.query<{ version: number }>('SELECT version FROM keyturn.migrations ORDER BY version');
  return rows.map(({ version }) => version);
}

function missing(applied: readonly number[], migrations: readonly Migration[]): Migration[] {
  const known = migrations.map(({ version }) => version);
  const newest = Math.max(0, ...known);
  const unknown = applied.filter((version) => !known.includes(version));
  if (unknown.length > 0) {
    throw new KeyturnError(
      'ledger-newer',
      `the ledger has schema version ${Math.max(...applied)}, this Keyturn knows versions up to ${newest}`,
      { hint: 'update this worker: a newer one has already upgraded the database' },
    );
  }
  return migrations.filter(({ version }) => !applied.includes(version));
}
