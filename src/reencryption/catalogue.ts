/** Questions to the system catalogue about one table. */
import type pg from 'pg';
import type { KeyColumn } from './column-facts.js';

export interface CatalogueTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly owner: string;
  /** pg_class.relkind */
  readonly kind: string;
  readonly estimatedRows: number | null;
  /** Values that have no room in their row's block are stored apart (TOAST); so far there are some. */
  readonly longValues: boolean;
  /** Who asks. */
  readonly user: string;
  /** Policies apply to who asks. */
  readonly rowSecurity: boolean;
  readonly triggers: readonly string[];
  readonly rules: readonly string[];
  /** Who asks may use the schema. */
  readonly reachable: boolean;
  /** Tables that inherit without being partitions, `schema.table`, at any depth. */
  readonly children: readonly string[];
}

export interface CatalogueColumn {
  readonly name: string;
  readonly type: string;
  /** Of a domain, the type beneath: pg_type.typname. */
  readonly base: string;
  readonly generated: boolean;
  readonly selectable: boolean;
  readonly updatable: boolean;
}

/** Statistics of a partitioned table lie with its partitions, unless it was analysed itself. */
const TABLE = `
SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, current_user AS "user",
       pg_get_userbyid(c.relowner) AS owner,
       (SELECT CASE WHEN min(p.reltuples) < 0 THEN NULL ELSE sum(p.reltuples)::float8 END
          FROM (SELECT c.oid AS relid WHERE c.relkind <> 'p'
                UNION ALL SELECT relid FROM pg_partition_tree(c.oid) WHERE c.relkind = 'p' AND isleaf) leaf
          JOIN pg_class p ON p.oid = leaf.relid) AS "estimatedRows",
       EXISTS (SELECT FROM pg_class p JOIN pg_class apart ON apart.oid = p.reltoastrelid
                WHERE (p.oid = c.oid OR c.relkind = 'p' AND p.oid IN (SELECT relid FROM pg_partition_tree(c.oid)))
                  AND pg_relation_size(apart.oid) > 0) AS "longValues",
       row_security_active(c.oid) AS "rowSecurity",
       ARRAY(SELECT t.tgname::text FROM pg_trigger t
              WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND (t.tgtype & 16) <> 0
              ORDER BY 1) AS triggers,
       ARRAY(SELECT r.rulename::text FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = '2' ORDER BY 1) AS rules,
       ARRAY(WITH RECURSIVE below AS (
               SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = c.oid AND c.relkind = 'r'
               UNION SELECT i.inhrelid FROM pg_inherits i JOIN below b ON i.inhparent = b.inhrelid)
             SELECT s.nspname || '.' || k.relname FROM below b JOIN pg_class k ON k.oid = b.inhrelid
               JOIN pg_namespace s ON s.oid = k.relnamespace ORDER BY 1) AS children,
       has_schema_privilege(n.oid, 'USAGE') AS reachable
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = $2`;

/** @param name `table`, which is in `public`, or `schema.table`; unquoted. */
export async function readTable(client: pg.Client, name: string): Promise<CatalogueTable | null> {
  const parts = name.includes('.') ? name.split('.') : ['public', name];
  const { rows } = await client.query<CatalogueTable>(TABLE, parts);
  return rows[0] ?? null;
}

/** Every table with its schema, and those of the search path also without. */
export async function tableNames(client: pg.Client): Promise<{ readonly full: string[]; readonly short: string[] }> {
  const { rows } = await client.query<{ full: string; short: string | null }>(
    `SELECT n.nspname || '.' || c.relname AS full, CASE n.nspname WHEN 'public' THEN c.relname::text END AS short
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 1 LIMIT 10000`,
  );
  return { full: rows.map(({ full }) => full), short: rows.flatMap(({ short }) => (short === null ? [] : [short])) };
}

const COLUMNS = `
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, b.typname AS base, a.attgenerated <> '' AS generated,
       has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS selectable,
       has_column_privilege(a.attrelid, a.attnum, 'UPDATE') AS updatable
  FROM pg_attribute a
 CROSS JOIN LATERAL (
       WITH RECURSIVE beneath AS (
         SELECT t.oid, t.typname, t.typbasetype FROM pg_type t WHERE t.oid = a.atttypid
         UNION ALL
         SELECT t.oid, t.typname, t.typbasetype FROM pg_type t JOIN beneath ON t.oid = beneath.typbasetype)
       SELECT typname FROM beneath WHERE typbasetype = 0) b
 WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum`;

export async function readColumns(client: pg.Client, table: number): Promise<CatalogueColumn[]> {
  return (await client.query<CatalogueColumn>(COLUMNS, [table])).rows;
}

/**
 * A unique index serves where it tells rows apart as the column's own operators do, by which pages are read: under a collation that
 * takes 'a' for 'A', or by another operator class, two rows of the index may be one for the column.
 *
 * format_type with modifier -1 gives `bpchar` and `"bit"`, which keep their length in a cast; `character` would cut to one.
 */
const KEY = `
WITH chosen AS (
  SELECT i.indrelid, i.indkey, i.indnkeyatts FROM pg_index i
   WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
     AND (i.indisprimary OR i.indimmediate AND NOT EXISTS (
           SELECT FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) k(attnum)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE NOT a.attnotnull)
         AND NOT EXISTS (
           SELECT FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1], (i.indcollation::oid[])[0:i.indnkeyatts - 1],
                              (i.indclass::oid[])[0:i.indnkeyatts - 1]) k(attnum, collated, class)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             JOIN pg_type t ON t.oid = a.atttypid
             JOIN pg_opclass own ON own.oid = k.class
             LEFT JOIN pg_collation c ON c.oid = a.attcollation
             LEFT JOIN pg_opclass usual ON usual.opcmethod = own.opcmethod AND usual.opcdefault
                   AND usual.opcintype = coalesce(nullif(t.typbasetype, 0), t.oid)
            WHERE (k.collated <> a.attcollation AND NOT c.collisdeterministic) OR usual.opcfamily <> own.opcfamily))
   ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1)
SELECT a.attname AS name, format_type(a.atttypid, -1) AS type, t.typcategory = 'A' OR t.typtype = 'c' AS "asText"
  FROM chosen c
 CROSS JOIN LATERAL unnest((c.indkey::int2[])[0:c.indnkeyatts - 1]) WITH ORDINALITY k(attnum, place)
  JOIN pg_attribute a ON a.attrelid = c.indrelid AND a.attnum = k.attnum
  JOIN pg_type t ON t.oid = a.atttypid
 ORDER BY k.place`;

/** The columns of the primary key in its order, or of another key that is as good; none: the table has no key. */
export async function readKey(client: pg.Client, table: number): Promise<KeyColumn[]> {
  return (await client.query<KeyColumn>(KEY, [table])).rows;
}
