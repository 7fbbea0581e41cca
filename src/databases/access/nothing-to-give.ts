/**
 * Whose rights code of the application may run with. Triggers, CHECKs, casts, policies and expressions of a table run with the
 * rights of whoever touches it, and RESET ROLE leads back to the session's own user: so that user must have nothing to give.
 */
import type pg from 'pg';

/** Predefined roles that lead out of the database, or beyond what any application owns. What only shows statistics is left out. */
const HARMLESS = [
  'pg_monitor',
  'pg_read_all_settings',
  'pg_read_all_stats',
  'pg_stat_scan_tables',
  'pg_database_owner',
];

/** That `of` (an oid) could do, by itself or by SET ROLE, what an application's role must not get. */
const powerful = (of: string): string => `EXISTS (
  SELECT FROM pg_roles p WHERE pg_has_role(${of}, p.oid, 'MEMBER')
     AND (p.rolsuper OR p.rolcreaterole OR p.rolreplication OR p.rolbypassrls
          OR p.rolname ~ '^pg_' AND p.rolname <> ALL ('{${HARMLESS.join(',')}}')))`;

export interface OwnedTable {
  readonly schema: string;
  readonly name: string;
  readonly owner: string;
  /** Being a member of its owner would be more than an application may have. */
  readonly powerful: boolean;
}

const TABLES = `
SELECT n.nspname AS schema, c.relname AS name, r.rolname AS owner, ${powerful('r.oid')} AS powerful
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND ($1::text[] IS NULL OR n.nspname || '.' || c.relname = ANY ($1))
 ORDER BY 1, 2`;

/** @param names `schema.table`, unquoted; null: all of the database. */
export async function ownersOf(client: pg.Client, names: readonly string[] | null): Promise<OwnedTable[]> {
  return (await client.query<OwnedTable>(TABLES, [names])).rows;
}

/** Beyond what these owners have, and beyond what was granted to it on single tables. */
const MORE = `
SELECT current_user AS name, current_setting('is_superuser') = 'on' AS superuser,
       ${powerful('me.oid')}
       OR EXISTS (SELECT FROM pg_auth_members m WHERE m.admin_option AND pg_has_role(me.oid, m.member, 'MEMBER'))
       OR EXISTS (SELECT FROM pg_roles p
                   WHERE p.oid <> me.oid AND pg_has_role(me.oid, p.oid, 'MEMBER') AND p.rolname <> ALL ('{${HARMLESS.join(',')}}')
                     AND NOT EXISTS (SELECT FROM pg_roles o WHERE o.rolname = ANY ($1) AND pg_has_role(o.oid, p.oid, 'MEMBER')))
       AS more
  FROM pg_roles me WHERE me.rolname = session_user`;

export interface Standing {
  readonly name: string;
  readonly superuser: boolean;
  /** The session's user could do more than the owners: code of theirs must not run as it. */
  readonly more: boolean;
}

export async function standingOf(client: pg.Client, owners: readonly string[]): Promise<Standing> {
  const { rows } = await client.query<Standing>(MORE, [owners]);
  return rows[0] ?? { name: 'the administrator', superuser: false, more: true };
}
