/**
 * What the worker's role may do to the ledger. Adding rows and reading them is all that it needs; whoever takes over a worker can then
 * add rows, and change none. The chain shows changes; these rights keep them from being made.
 */
import pg from 'pg';
import type { PoolClient } from 'pg';
import { KeyturnError } from '../domain/errors.js';
import { howToMigrate } from './ledger-errors.js';

/** All that a worker needs. @param worker a quoted name. */
export function grantsTo(worker: string): string[] {
  return [
    `GRANT USAGE ON SCHEMA keyturn TO ${worker}`,
    `GRANT SELECT ON keyturn.migrations TO ${worker}`,
    `GRANT SELECT, INSERT ON keyturn.rotations TO ${worker}`,
  ];
}

/** As the worker's role. @throws KeyturnError `ledger-misconfigured`. */
export async function demandRights(client: PoolClient): Promise<void> {
  const { rows } = await client.query<{ role: string; may: string }>(
    `SELECT current_user::text AS role, needed.privilege AS may FROM (VALUES ('SELECT'), ('INSERT')) AS needed (privilege)
      WHERE NOT has_table_privilege('keyturn.rotations', needed.privilege)`,
  );
  if (rows.length === 0) return;
  const { role } = rows[0] ?? { role: '' };
  const lacking = rows.map(({ may }) => may).join(' and ');
  throw new KeyturnError('ledger-misconfigured', `the ledger's role "${role}" lacks ${lacking} on keyturn.rotations`, {
    hint: howToMigrate(role),
  });
}

/** As the worker's role. @returns a sentence each, with the statement that ends it; of a superuser, one sentence. */
export async function excessRights(client: PoolClient): Promise<string[]> {
  const { rows } = await client.query<Role>(ROLE);
  const [role] = rows;
  if (!role) return [];
  const name = pg.escapeIdentifier(role.name);
  if (role.superuser) {
    return [
      `the ledger's role "${role.name}" is a superuser: give the worker one of its own, and grant it with keyturn ledger migrate --grant-to ROLE`,
    ];
  }
  const may = (what: string, statement: string): string =>
    `the ledger's role "${role.name}" ${what}, which no worker needs: ${statement};`;
  const grants = (await client.query<Grant>(GRANTS)).rows;
  return [
    ...(role.makesRoles ? [may('may make roles, and give itself others', `ALTER ROLE ${name} NOCREATEROLE`)] : []),
    ...(role.ownsDatabase
      ? [may('owns the database', `ALTER DATABASE ${pg.escapeIdentifier(role.database)} OWNER TO ${OWNER}`)]
      : []),
    ...(role.owns.length > 0 ? [may(`owns ${role.owns.join(', ')}`, newOwner(role.owns, name))] : []),
    ...role.memberships.map((group) =>
      may(`is a member of "${group}"`, `REVOKE ${pg.escapeIdentifier(group)} FROM ${name}`),
    ),
    ...grants.map(({ privileges, object, grantee }) =>
      may(`may ${privileges} on ${object}`, `REVOKE ${privileges} ON ${object} FROM ${grantee}`),
    ),
  ];
}

/** As deploy/create-databases.sh calls it; any role that no worker signs in as will do. */
const OWNER = 'keyturn_owner';

/** With a table goes what its owner could do: the worker is granted its part again. */
function newOwner(owned: readonly string[], worker: string): string {
  return [...owned.map((object) => `ALTER ${object} OWNER TO ${OWNER}`), ...grantsTo(worker)].join('; ');
}

interface Role {
  readonly name: string;
  readonly superuser: boolean;
  readonly makesRoles: boolean;
  readonly database: string;
  readonly ownsDatabase: boolean;
  /** `TABLE keyturn.rotations`. */
  readonly owns: readonly string[];
  /** Its own, by which it is, or can become, an owner of the ledger or somebody who may write everything. */
  readonly memberships: readonly string[];
}

const OBJECTS = `
  SELECT 'SCHEMA keyturn' AS object, nspowner AS owner, nspacl AS acl FROM pg_catalog.pg_namespace WHERE nspname = 'keyturn'
  UNION ALL SELECT 'TABLE keyturn.' || quote_ident(c.relname), c.relowner, c.relacl
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = 'keyturn' AND c.relkind IN ('r', 'p', 'v', 'm')
  UNION ALL SELECT 'FUNCTION ' || p.oid::regprocedure, p.proowner, NULL
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'keyturn'`;

/** Of PostgreSQL's own roles those with which one writes any table, or runs programs as the server. */
const ALL_POWERFUL = `'pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program'`;

const ROLE = `
  SELECT r.rolname::text AS name, r.rolsuper AS superuser, r.rolcreaterole AS "makesRoles", d.datname::text AS database,
         d.datdba = r.oid AS "ownsDatabase",
         ARRAY(SELECT o.object FROM (${OBJECTS}) AS o WHERE o.owner = r.oid ORDER BY o.object) AS owns,
         ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
                WHERE m.member = r.oid AND EXISTS (
                  SELECT FROM (SELECT o.owner FROM (${OBJECTS}) AS o UNION SELECT d.datdba
                               UNION SELECT p.oid FROM pg_catalog.pg_roles p WHERE p.rolsuper OR p.rolname IN (${ALL_POWERFUL})) AS might (owner)
                   WHERE pg_has_role(m.roleid, might.owner, 'MEMBER'))
                ORDER BY g.rolname) AS memberships
    FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
   WHERE r.rolname = current_user AND d.datname = current_database()`;

interface Grant {
  readonly object: string;
  readonly privileges: string;
  readonly grantee: string;
}

/** To it, to everybody, or to a role that it is in; not what an owner has of itself. */
const GRANTS = `
  SELECT granted.object, string_agg(DISTINCT granted.privilege, ', ' ORDER BY granted.privilege) AS privileges,
         CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(granted.grantee)) END AS grantee
    FROM (SELECT o.object, a.privilege_type AS privilege, a.grantee, o.owner FROM (${OBJECTS}) AS o, aclexplode(o.acl) AS a
          UNION ALL
          SELECT 'TABLE keyturn.' || quote_ident(c.relname), a.privilege_type || ' (' || quote_ident(t.attname) || ')', a.grantee, c.relowner
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) AS a
           WHERE n.nspname = 'keyturn') AS granted
   WHERE granted.grantee <> granted.owner
     AND (granted.grantee = 0 OR pg_has_role(current_user, granted.grantee, 'MEMBER'))
     AND NOT (granted.object LIKE 'TABLE %' AND granted.privilege ~ '^SELECT')
     AND NOT (granted.object = 'TABLE keyturn.rotations' AND granted.privilege ~ '^INSERT')
     AND NOT (granted.object = 'SCHEMA keyturn' AND granted.privilege = 'USAGE')
   GROUP BY granted.object, granted.grantee
   ORDER BY granted.object, grantee`;
