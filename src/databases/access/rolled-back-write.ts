/** Writing as a role to see that it may, without leaving anything. */
import pg from 'pg';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { oneLine } from '../../processes/safe-text.js';
import { queryOne } from '../connection.js';

/** Enough to meet every kind of grant; a schema of a thousand tables would make it minutes. */
const TABLES = 20;
/** A proof must not queue behind a migration, with the application's statements behind it. */
const LOCK_WAIT = '500ms';

/**
 * Runs the probe, or tries the role's permissions, in a transaction that is rolled back in every case: also when this process dies
 * (the server ends a transaction with its connection). A statement that ends the transaction itself is found out, and has by then
 * written nothing: the extended protocol takes one statement only.
 * @throws KeyturnError `probe-failed`; a lock that is not had within half a second is `query-failed`, retryable.
 */
export async function writeAndRollBack(client: pg.Client, probe: string | null): Promise<Evidence> {
  await client.query('BEGIN READ WRITE');
  try {
    await client.query(`SET LOCAL lock_timeout = '${LOCK_WAIT}'`);
    return probe === null ? await tryPermissions(client) : await runProbe(client, probe);
  } finally {
    // After a failure of the connection there is nothing to roll back, and nobody to tell.
    await client.query('ROLLBACK').catch(() => undefined);
  }
}

async function runProbe(client: pg.Client, probe: string): Promise<Evidence> {
  await client.query('SAVEPOINT probe');
  let rows: number | null;
  try {
    rows = (await queryOne(client, probe)).rowCount;
  } catch (error) {
    // Not the probe's fault, and gone the next time: deadlocks, a server that stops, a lock not had in time.
    if (!(error instanceof pg.DatabaseError) || /^(?:08|40|53|57|55P03)/.test(error.code ?? '')) throw error;
    throw failed(`the probe failed (${error.code ?? '?'})${speakable(error)}`);
  }
  await client.query('RELEASE SAVEPOINT probe').catch(() => {
    throw failed('the probe ended its own transaction');
  });
  const { rows: found } = await client.query<{ wrote: boolean }>(
    'SELECT pg_current_xact_id_if_assigned() IS NOT NULL AS wrote',
  );
  const wrote = found[0]?.wrote === true;
  const what = wrote ? 'the probe wrote' : 'the probe ran but wrote nothing';
  return { summary: `${what} and was rolled back`, facts: { probe: true, wrote, rows } };
}

/** The text of these classes speaks of the statement, others repeat data: 42 syntax and access, 25 transaction state. */
function speakable(error: pg.DatabaseError): string {
  return /^(?:25|42)/.test(error.code ?? '') ? `: ${oneLine(error.message, 160)}` : '';
}

function failed(message: string): KeyturnError {
  return new KeyturnError('probe-failed', message, {
    hint: 'the role lacks a right that the application needs, or the probe in the inventory is wrong: it must be one statement',
  });
}

interface Table {
  readonly name: string;
  readonly insert: string | null;
  readonly update: string | null;
  readonly delete: boolean;
}

/** Tables with rules or statement triggers are left out: those would run although no row is touched. */
const WRITABLE = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name,
         (SELECT quote_ident(attname) FROM pg_attribute a WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
             AND attgenerated = '' AND attidentity <> 'a' AND has_column_privilege(c.oid, attnum, 'INSERT')
           ORDER BY attnum LIMIT 1) AS insert,
         (SELECT quote_ident(attname) FROM pg_attribute a WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
             AND has_column_privilege(c.oid, attnum, 'UPDATE') ORDER BY attnum LIMIT 1) AS update,
         has_table_privilege(c.oid, 'DELETE') AS delete
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND NOT c.relhasrules AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND has_schema_privilege(n.oid, 'USAGE')
     AND (has_any_column_privilege(c.oid, 'INSERT') OR has_any_column_privilege(c.oid, 'UPDATE')
          OR has_table_privilege(c.oid, 'DELETE'))
     AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 1 = 0)
   ORDER BY n.nspname, c.relname LIMIT ${TABLES}`;

/** Statements that touch no row: the server checks the permission all the same. */
async function tryPermissions(client: pg.Client): Promise<Evidence> {
  const { rows: tables } = await client.query<Table>(WRITABLE);
  let tried = 0;
  for (const table of tables) {
    const statements = [
      table.insert !== null && `INSERT INTO ${table.name} (${table.insert}) SELECT NULL WHERE false`,
      table.update !== null && `UPDATE ${table.name} SET ${table.update} = DEFAULT WHERE false`,
      table.delete && `DELETE FROM ${table.name} WHERE false`,
    ].filter((statement) => typeof statement === 'string');
    for (const statement of statements) {
      await queryOne(client, statement);
      tried += 1;
    }
  }
  const summary =
    tables.length === 0
      ? 'there is no table that it may write'
      : `may write ${tables.length} table${tables.length === 1 ? '' : 's'}`;
  return {
    summary: tables.length === TABLES ? `${summary} (as many as are tried)` : summary,
    facts: { probe: false, tables: tables.length, statements: tried },
  };
}
