/** What still hangs on a role, as DROP ROLE will ask. */
import { id, type Session } from './session.js';
import type { TableChange } from './table-by-table.js';

export interface Dependency {
  /** null: shared by the cluster. */
  readonly database: string | null;
  readonly what: string;
}

interface Row {
  database: string | null;
  here: boolean;
  kind: string;
  object: string | null;
}

const LISTED = 10;

/**
 * Objects that the role owns, in this database and among what the cluster shares. Not counted: its default privileges and its user
 * mappings, which belong to a role by nature, and go with it.
 */
export async function ownedHere(session: Session, role: string): Promise<string[]> {
  return (
    await read(
      session,
      role,
      `s.deptype = 'o' AND s.classid NOT IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)`,
    )
  )
    .filter(({ here, database }) => here || database === null)
    .map(inWords);
}

/** Everything, in every database; `here`: only this one and what the cluster shares. */
export async function dependencies(session: Session, role: string, where: 'here' | 'everywhere'): Promise<string[]> {
  return (await read(session, role, 'true'))
    .filter(({ here, database }) => where === 'everywhere' || here || database === null)
    .map(inWords);
}

/** `a; b; and 3 more`. */
export function firstOf(lines: readonly string[]): string {
  const more = lines.length - LISTED;
  return [...lines.slice(0, LISTED), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

async function read(session: Session, role: string, condition: string): Promise<Row[]> {
  const { rows } = await session.client.query<Row>(
    `SELECT d.datname AS database, coalesce(d.datname = current_database(), false) AS here,
            CASE s.deptype WHEN 'o' THEN 'owns' WHEN 'a' THEN 'has a grant on' WHEN 'r' THEN 'is named in the policy'
                           WHEN 'i' THEN 'has an initial grant on' ELSE 'is named by' END AS kind,
            CASE WHEN s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                 THEN pg_describe_object(s.classid, s.objid, s.objsubid) END AS object
       FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid LEFT JOIN pg_database d ON d.oid = s.dbid
      WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = $1 AND ${condition}
      ORDER BY 1 NULLS FIRST, 3, 4`,
    [role],
  );
  return rows;
}

const inWords = ({ database, kind, object }: Row): string =>
  `${database === null ? '' : `database ${database}: `}${kind} ${object ?? 'something'}`;

/** Tables, views, materialised views, foreign tables and free sequences that `from` owns here, each to be given to `to` by itself. */
export async function ownerChanges(
  session: Session,
  { from, to }: { from: string; to: string },
): Promise<TableChange[]> {
  const { rows } = await session.client.query<{ oid: number; table: string }>(
    `SELECT c.oid::int8::float8 AS oid, format('%I.%I', n.nspname, c.relname) AS table
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
      WHERE r.rolname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_(toast|temp_)'
        -- A column's sequence goes with its table.
        AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                   AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
      ORDER BY 2`,
    [from],
  );
  return rows.map(({ oid, table }) => ({
    ...{ oid, table, statement: `ALTER TABLE ${table} OWNER TO ${id(to)}` },
    words: `database ${session.database}: ownership of ${table}`,
  }));
}
