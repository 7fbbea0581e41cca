/** The ledger in PostgreSQL: schema `keyturn`, table `rotations`. */
import type { PoolClient } from 'pg';
import { KeyturnError } from '../domain/errors.js';
import { ChainWalk } from './chain-walk.js';
import { LedgerConnection } from './ledger-connection.js';
import type { Ledger, LedgerEntry, LedgerFilter, LedgerRow, Verification, VerifyOptions } from './ledger.js';
import { demandTables } from './migrations.js';
import { normalEntry } from './normal-entry.js';
import { GENESIS, rowHash, sameEntry } from './row-hash.js';
import { demandRights, excessRights } from './worker-rights.js';

/** Appends take it one after the other: "keyturn" as a number, and 2. */
const APPEND_LOCK = '7738151096083509762';

/** Rows with their evidence are a few kilobytes each. */
const PAGE = 500;

const TIMES = {
  started_at: 'startedAt',
  finished_at: 'finishedAt',
  next_due_at: 'nextDueAt',
  recorded_at: 'recordedAt',
};

/** Times as text, so that neither the session's DateStyle nor its time zone can change what is hashed. */
const COLUMNS = [
  'sequence::text, request_id AS "requestId", system, environment, secret, kind, operator, method, reason, outcome, proof',
  ...Object.entries(TIMES).map(
    ([column, field]) =>
      // With the era where it is not ours: a time moved before Christ would read like the one that was hashed.
      `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
       || CASE WHEN ${column} < '0001-01-01 00:00:00+00' THEN ' BC' ELSE '' END AS "${field}"`,
  ),
  'notes, evidence, previous_hash AS "previousHash", hash',
].join(', ');

type Stored = Omit<LedgerRow, 'sequence'> & { readonly sequence: string };

/** All methods throw KeyturnError only: `ledger-unavailable` (retryable), `ledger-misconfigured`, `ledger-failed`; never with the URL. */
export class PostgresLedger implements Ledger {
  readonly #connection: LedgerConnection;

  /** Does not connect yet. @throws KeyturnError `ledger-misconfigured` for what is not a PostgreSQL URL. */
  constructor(url: string) {
    this.#connection = new LedgerConnection(url);
  }

  async inspect(): Promise<string[]> {
    return this.#connection.use('none', async (client) => {
      await demandTables(client);
      await demandRights(client);
      return excessRights(client);
    });
  }

  async append(entry: LedgerEntry): Promise<LedgerRow> {
    const normal = normalEntry(entry);
    return this.#connection.use('unknown', async (client) => {
      await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
      try {
        await client.query('SELECT pg_advisory_xact_lock($1::bigint)', [APPEND_LOCK]);
        const row = (await this.#recorded(client, normal)) ?? (await insertNext(client, normal));
        await client.query('COMMIT');
        return row;
      } catch (error) {
        // The connection may be what failed; its error is the one to tell.
        await client.query('ROLLBACK').catch(() => undefined);
        throw error;
      }
    });
  }

  async list(filter: LedgerFilter = {}): Promise<LedgerRow[]> {
    const rows: LedgerRow[] = [];
    for await (const page of this.pages(filter)) rows.push(...page);
    return rows;
  }

  async *pages(filter: LedgerFilter = {}): AsyncIterable<readonly LedgerRow[]> {
    const { conditions, values } = conditionsOf(filter);
    // Rows are only ever added, at the end: a snapshot is what there is up to the newest row of now.
    const { first, last } = await this.#connection.use('none', (client) =>
      bounds(client, filter.limit, conditions, values),
    );
    let after = first;
    for (;;) {
      const where = [
        ...conditions,
        `rotations.sequence >= $${values.length + 1}`,
        `rotations.sequence <= $${values.length + 2}`,
      ];
      const sql = `SELECT ${COLUMNS} FROM keyturn.rotations WHERE ${where.join(' AND ')} ORDER BY rotations.sequence LIMIT ${PAGE}`;
      const page = await this.#connection.use('none', (client) => select(client, sql, [...values, after, last]));
      if (page.length > 0) yield page;
      const newest = page.at(-1);
      if (!newest || page.length < PAGE) return;
      after = String(newest.sequence + 1);
    }
  }

  async latest(): Promise<LedgerRow[]> {
    const sql = `SELECT DISTINCT ON (system, environment, secret) ${COLUMNS} FROM keyturn.rotations
      WHERE outcome = 'completed' AND kind <> 'backup' ORDER BY system, environment, secret, rotations.sequence DESC`;
    return this.#connection.use('none', (client) => select(client, sql, []));
  }

  async verify(options: VerifyOptions = {}): Promise<Verification> {
    return this.#connection.use('none', async (client) => {
      // One snapshot for all pages: rows appended meanwhile are the next verification's.
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      try {
        return await walk(client, new ChainWalk(options.expectHead ?? null), options.onProgress);
      } finally {
        await client.query('ROLLBACK').catch(() => undefined);
      }
    });
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** @throws KeyturnError `ledger-conflict`. */
  async #recorded(client: PoolClient, entry: LedgerEntry): Promise<LedgerRow | null> {
    const sql = `SELECT ${COLUMNS} FROM keyturn.rotations WHERE request_id = $1`;
    const [row] = await select(client, sql, [entry.requestId]);
    if (!row) return null;
    if (sameEntry(row, entry)) return row;
    const message = `request ${entry.requestId} is on record as row ${row.sequence} with other content`;
    throw new KeyturnError('ledger-conflict', message, { hint: `compare it with keyturn log; nothing was written` });
  }
}

function conditionsOf(filter: LedgerFilter): { conditions: string[]; values: string[] } {
  const values: string[] = [];
  const conditions = (['system', 'environment', 'secret'] as const).flatMap((column) => {
    const wanted = filter[column];
    return wanted === undefined ? [] : [`${column} = $${values.push(wanted)}`];
  });
  return { conditions, values };
}

/** Sequences of the first and the last row to show; of none, a range that holds nothing. */
async function bounds(
  client: PoolClient,
  limit: number | undefined,
  conditions: readonly string[],
  values: readonly string[],
): Promise<{ first: string; last: string }> {
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  const newest = limit === undefined ? '' : `ORDER BY rotations.sequence DESC LIMIT $${values.length + 1}`;
  const { rows } = await client.query<{ first: string | null; last: string | null }>(
    `SELECT pg_catalog.min(found.sequence)::text AS first, pg_catalog.max(found.sequence)::text AS last
       FROM (SELECT rotations.sequence FROM keyturn.rotations ${where} ${newest}) AS found`,
    limit === undefined ? [...values] : [...values, limit],
  );
  return { first: rows[0]?.first ?? '1', last: rows[0]?.last ?? '0' };
}

async function insertNext(client: PoolClient, entry: LedgerEntry): Promise<LedgerRow> {
  const [last] = await select(
    client,
    `SELECT ${COLUMNS} FROM keyturn.rotations ORDER BY rotations.sequence DESC LIMIT 1`,
    [],
  );
  const { rows } = await client.query<{ now: string }>(
    `SELECT to_char(date_trunc('milliseconds', clock_timestamp()) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS now`,
  );
  const content = {
    ...entry,
    sequence: (last?.sequence ?? 0) + 1,
    recordedAt: rows[0]?.now ?? new Date().toISOString(),
    previousHash: last?.hash ?? GENESIS,
  };
  const row: LedgerRow = { ...content, hash: rowHash(content) };
  await client.query(
    `INSERT INTO keyturn.rotations (sequence, request_id, system, environment, secret, kind, operator, method, reason, outcome, proof,
       started_at, finished_at, next_due_at, notes, evidence, recorded_at, previous_hash, hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
    [
      row.sequence,
      row.requestId,
      row.system,
      row.environment,
      row.secret,
      row.kind,
      row.operator,
      row.method,
      row.reason,
      row.outcome,
      row.proof,
      row.startedAt,
      row.finishedAt,
      row.nextDueAt,
      row.notes,
      JSON.stringify(row.evidence),
      row.recordedAt,
      row.previousHash,
      row.hash,
    ],
  );
  return row;
}

async function walk(
  client: PoolClient,
  chain: ChainWalk,
  onProgress: VerifyOptions['onProgress'],
): Promise<Verification> {
  // Text compares as a number: rows with a sequence below 1 are met too, should somebody have made some.
  let after = '-9223372036854775808';
  for (;;) {
    const sql = `SELECT ${COLUMNS} FROM keyturn.rotations WHERE rotations.sequence > $1::bigint ORDER BY rotations.sequence LIMIT ${PAGE}`;
    const page = await select(client, sql, [after]);
    for (const row of page) {
      const broken = chain.next(row);
      if (broken) return broken;
    }
    const last = page.at(-1);
    if (!last || page.length < PAGE) return chain.end();
    onProgress?.(chain.rows);
    after = String(last.sequence);
  }
}

async function select(client: PoolClient, sql: string, values: readonly (string | number)[]): Promise<LedgerRow[]> {
  const { rows } = await client.query<Stored>(sql, [...values]);
  return rows.map((row) => ({ ...row, sequence: Number(row.sequence) }));
}
