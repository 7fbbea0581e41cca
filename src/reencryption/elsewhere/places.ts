/** Where in a database a text, bytes or a document can stand: every column of every relation that stores rows. */
import type pg from 'pg';

export interface Place {
  readonly schema: string;
  readonly table: string;
  /** pg_class.relkind: `r` a table, `m` a materialized view, `f` a foreign table. */
  readonly kind: string;
  /** The table itself, and of a partition those above it, `schema.table`. */
  readonly ancestors: readonly (readonly [schema: string, table: string])[];
  /** On disk. */
  readonly bytes: number;
  /** Why its rows cannot be read; null: they can. */
  readonly closed: string | null;
  readonly columns: readonly PlaceColumn[];
  /** Columns of types that the server itself brings, whose text is made by nobody else. */
  readonly plain: readonly string[];
}

export interface PlaceColumn {
  readonly name: string;
  /** `text`: anything that is a string; `other`: has texts or bytes in it, and no operator to ask for them. */
  readonly type: 'text' | 'bytea' | 'jsonb' | 'json' | 'texts' | 'byteas' | 'other';
  readonly readable: boolean;
}

/**
 * Names of functions and operators are the catalogue's own, whoever defines others of that name. What a type is made of is followed
 * through domains and arrays. Generated columns that are not stored have nothing of their own.
 */
const PLACES = `
WITH RECURSIVE beneath AS (
  SELECT t.oid AS typ, t.oid, false AS many FROM pg_catalog.pg_type t
  UNION ALL
  SELECT b.typ, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END, b.many OR t.typcategory = 'A'
    FROM beneath b JOIN pg_catalog.pg_type t ON t.oid = b.oid
   WHERE t.typtype = 'd' OR t.typcategory = 'A' AND t.typelem <> 0),
kinds AS (
  SELECT b.typ, CASE
      WHEN t.typname = 'bytea' THEN CASE WHEN b.many THEN 'byteas' ELSE 'bytea' END
      WHEN t.typname IN ('json', 'jsonb') THEN CASE WHEN b.many THEN 'texts' ELSE t.typname::text END
      WHEN t.typcategory = 'S' THEN CASE WHEN b.many THEN 'texts' ELSE 'text' END
      WHEN t.typtype = 'c' OR t.typname IN ('xml', 'hstore') THEN 'other' END AS type
    FROM beneath b JOIN pg_catalog.pg_type t ON t.oid = b.oid
   WHERE t.typtype <> 'd' AND NOT (t.typcategory = 'A' AND t.typelem <> 0))
SELECT n.nspname::text AS schema, c.relname::text AS table, c.relkind::text AS kind,
       pg_catalog.pg_table_size(c.oid)::float8 AS bytes,
       CASE WHEN c.relkind = 'f' THEN 'a foreign table: its rows are elsewhere'
            WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'not populated'
            WHEN NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') THEN 'no USAGE on the schema'
            WHEN pg_catalog.row_security_active(c.oid) THEN 'row-level security hides rows' END AS closed,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(an.nspname, ac.relname))
          FROM (SELECT c.oid AS relid UNION SELECT a.relid FROM pg_catalog.pg_partition_ancestors(c.oid) a WHERE c.relispartition) up
          JOIN pg_catalog.pg_class ac ON ac.oid = up.relid JOIN pg_catalog.pg_namespace an ON an.oid = ac.relnamespace) AS ancestors,
       (SELECT coalesce(pg_catalog.json_agg(p.attname), '[]') FROM pg_catalog.pg_attribute p JOIN pg_catalog.pg_type pt ON pt.oid = p.atttypid
         WHERE p.attrelid = c.oid AND p.attnum > 0 AND NOT p.attisdropped AND p.attgenerated <> 'v'
           AND pt.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
           AND pg_catalog.has_column_privilege(c.oid, p.attnum, 'SELECT')) AS plain,
       pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', k.type,
         'readable', pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')) ORDER BY a.attnum) AS columns
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid JOIN kinds k ON k.typ = a.atttypid
 WHERE c.relkind IN ('r', 'm', 'f') AND c.relpersistence <> 't' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
   AND k.type IS NOT NULL AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
 GROUP BY n.oid, n.nspname, c.oid, c.relname, c.relkind, c.relispopulated, c.relispartition
 ORDER BY 4, 1, 2`;

/** The smallest first: what there is no time for in the end is as few relations as can be. */
export async function readPlaces(client: pg.Client): Promise<Place[]> {
  return (await client.query<Place>(PLACES)).rows;
}

/** Kept in the database beside its tables, and not looked into. */
export async function countLargeObjects(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    'SELECT pg_catalog.count(*)::int AS count FROM pg_catalog.pg_largeobject_metadata',
  );
  return rows[0]?.count ?? 0;
}
