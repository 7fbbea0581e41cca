/**
 * Columns elsewhere in the database that look encrypted and are not declared. One that is under the key after all could not be read
 * any more once the key is gone, so people are warned; a sample is looked at, and no value leaves this file.
 */
import pg from 'pg';
import type { Server } from '../databases/server.js';
import type { PlannedColumn } from '../domain/plan.js';
import { lookOf, type Look } from './looks-encrypted.js';

export interface SurveyOptions {
  readonly server: Server;
  readonly declared: readonly PlannedColumn[];
  /** Milliseconds for all columns. Default: 10 s. */
  readonly budget?: number;
}

const BUDGET_MS = 10_000;
/** For one column: a view of foreign data, or a huge one, does not use up the time of all. */
const COLUMN_MS = 1_000;
const SAMPLED_VALUES = 100;
/** Longer values are looked at in part. */
const LOOKED_AT = 600;
/** Of the values that are there: less may be a pasted token or a stray digest. A Fernet token is one wherever it stands. */
const SHARE = 0.5;

interface Candidate {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  readonly type: 'text' | 'bytea' | 'json';
  readonly rows: number;
}

/** Columns of text, bytes and documents in tables with rows; those of extensions left out. */
const CANDIDATES = `
SELECT n.nspname AS schema, c.relname AS table, a.attname AS column, greatest(c.reltuples, 0)::float8 AS rows,
       CASE WHEN t.typname = 'bytea' THEN 'bytea' WHEN t.typname IN ('json', 'jsonb') THEN 'json' ELSE 'text' END AS type
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
  JOIN pg_type d ON d.oid = a.atttypid JOIN pg_type t ON t.oid = coalesce(nullif(d.typbasetype, 0), d.oid)
 WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
   AND t.typname IN ('text', 'varchar', 'bytea', 'json', 'jsonb')
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid)
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
 ORDER BY c.reltuples DESC, 1, 2, a.attnum`;

/**
 * Read-only; in time, whatever the size of the database: what was not looked at when the time was up is said at the end.
 * @returns for each find `public.notes.body (40 of 100 values look like Fernet tokens)`.
 * @throws KeyturnError as Server.
 */
export async function survey({ server, declared, budget = BUDGET_MS }: SurveyOptions): Promise<string[]> {
  const until = performance.now() + budget;
  const prefixes = [...new Set(declared.map(({ format }) => prefixOf(format)))].filter((prefix) => prefix.length >= 2);
  return server.asWorker(
    async (client) => {
      await client.query('BEGIN READ ONLY');
      const { rows: all } = await client.query<Candidate>(CANDIDATES);
      const candidates = all
        .map((candidate) => ({ ...candidate, paths: declaredPaths(candidate, declared) }))
        .filter(({ paths }) => !paths.includes(null));
      const found: string[] = [];
      for (const [index, candidate] of candidates.entries()) {
        if (performance.now() > until) {
          found.push(`${candidates.length - index} columns were not looked at, the time was up`);
          break;
        }
        const without = candidate.paths.filter((path) => path !== null);
        const finding = await judge(client, candidate, without, prefixes);
        if (finding !== null) found.push(`${candidate.schema}.${candidate.table}.${candidate.column} (${finding})`);
      }
      await client.query('ROLLBACK');
      return found;
    },
    // A net for the catalogue itself; the columns keep to the budget.
    { limit: budget + 60_000, touched: 'owned' },
  );
}

/** Of one column: `null` is the whole of it, a path a part of a document. */
function declaredPaths(
  { schema, table, column }: Candidate,
  declared: readonly PlannedColumn[],
): PlannedColumn['path'][] {
  return declared
    .filter((planned) => planned.column === column && [table, `${schema}.${table}`].includes(planned.table))
    .map(({ path }) => path);
}

async function judge(
  client: pg.Client,
  candidate: Candidate,
  without: readonly (readonly string[])[],
  prefixes: readonly string[],
): Promise<string | null> {
  const values = await sample(client, candidate, without);
  const looks = values.map((value) => lookOf(value, prefixes)).filter((look) => look !== null);
  const [most] = [...tally(looks)].sort(([, one], [, other]) => other - one);
  if (!most) return null;
  const [look, count] = most;
  if (look !== 'Fernet tokens' && looks.length < values.length * SHARE) return null;
  return `${count} of ${values.length} values look like ${look}`;
}

/** @param without declared parts of a document. @returns nothing for a column that cannot be read in time. */
async function sample(
  client: pg.Client,
  { schema, table, column, type, rows }: Candidate,
  without: readonly (readonly string[])[],
): Promise<(string | Buffer)[]> {
  const name = pg.escapeIdentifier(column);
  const from = `ONLY ${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)} AS t`;
  // Ten times as many as are wanted: some are empty.
  const share = (100 * SAMPLED_VALUES * 10) / Math.max(1, rows);
  const sampled = share < 50 ? `${from} TABLESAMPLE SYSTEM (${share})` : from;
  const value = {
    text: `left(t.${name}::text, ${LOOKED_AT})`,
    bytea: `substring(t.${name}::bytea FROM 1 FOR ${LOOKED_AT})`,
    json: `left(leaf #>> '{}', ${LOOKED_AT})`,
  }[type];
  const removed = without.map((path) => ` #- ARRAY[${path.map((key) => pg.escapeLiteral(key)).join(', ')}]::text[]`);
  const document = `t.${name}::jsonb${removed.join('')}`;
  const leaves = type === 'json' ? `, jsonb_path_query(${document}, 'strict $.**') leaf` : '';
  const present =
    type === 'json'
      ? `jsonb_typeof(leaf) = 'string' AND leaf <> '""'`
      : `t.${name} IS NOT NULL AND length(t.${name}) > 0`;
  await client.query(`SAVEPOINT one_column`);
  try {
    await client.query(`SET LOCAL statement_timeout = ${COLUMN_MS}`);
    const { rows: values } = await client.query<{ value: string | Buffer }>(
      `SELECT ${value} AS value FROM ${sampled}${leaves} WHERE ${present} LIMIT ${SAMPLED_VALUES}`,
    );
    return values.map((row) => row.value);
  } catch (error) {
    if (typeof (error as { code?: unknown }).code !== 'string') throw error;
    await client.query('ROLLBACK TO one_column');
    return [];
  }
}

function prefixOf(format: PlannedColumn['format']): string {
  // What follows ${key.id} is another key's.
  return format.cipher === 'fernet' ? '' : (format.prefix.split('${')[0] ?? '');
}

function tally(looks: readonly Look[]): Map<Look, number> {
  const counts = new Map<Look, number>();
  for (const look of looks) counts.set(look, (counts.get(look) ?? 0) + 1);
  return counts;
}
