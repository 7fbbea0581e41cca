/** What an administrator who is not a superuser could not carry over or take away. Read from the catalogue; nothing is tried. */
import { readDefaults } from './default-privileges.js';
import { readGrants, type Scope } from './grants.js';
import { readMemberships } from './memberships.js';
import { holderOf, type RolePair } from './pair.js';
import type { Session } from './session.js';
import { id } from './session.js';
import { readSettings } from './settings.js';
import { readMappings } from './user-mappings.js';

export interface Problem {
  readonly message: string;
  /** What to do about it, in the imperative. */
  readonly hint: string;
}

/** What the cluster shares: memberships, settings, grants on databases and the like. */
export async function sharedObstacles(session: Session, pair: RolePair): Promise<Problem[]> {
  if (session.superuser) return [];
  const { old } = pair;
  return [
    ...(await settingObstacles(session, old)),
    ...(holderOf(pair) === old
      ? []
      : [
          ...(await membershipObstacles(session, pair)),
          ...(await lacking(session, pair, await grantorsOf(session, 'cluster', old))),
        ]),
  ];
}

/** Of the database that the session is in. */
export async function localObstacles(session: Session, pair: RolePair): Promise<Problem[]> {
  const { old } = pair;
  if (session.superuser || holderOf(pair) === old) return [];
  const needed = await grantorsOf(session, 'database', old);
  const need = (role: string, why: string): void => {
    if (!needed.has(role)) needed.set(role, why);
  };
  for (const { creator, grantee } of await readDefaults(session, [old])) {
    if (creator !== old && grantee === old) need(creator, `its default privileges grant to ${old}`);
  }
  const tables = await session.client.query<{ owner: string; policy: string }>(
    `SELECT pg_get_userbyid(c.relowner) AS owner, p.polname AS policy FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
      WHERE (SELECT oid FROM pg_roles WHERE rolname = $1) = ANY (p.polroles)`,
    [old],
  );
  for (const { owner, policy } of tables.rows) need(owner, `the policy ${policy} on its table names ${old}`);
  const mappings = await readMappings(session, old);
  return [
    ...(await lacking(session, pair, needed)),
    ...(await ownershipObstacles(session, old)),
    ...mappings.map((server) => ({
      message: `${session.administrator} cannot read the user mapping of ${old} for the foreign server ${server}`,
      hint: 'let a superuser administer this swap, or use strategy group',
    })),
  ];
}

/** Who granted the role something, and for example what. */
async function grantorsOf(session: Session, scope: Scope, old: string): Promise<Map<string, string>> {
  const needed = new Map<string, string>();
  for (const { owner, grantor, grantee, kind, target } of await readGrants(session, scope, [old])) {
    if (owner === old || grantee !== old) continue;
    needed.set(grantor, `it granted ${old} rights, such as on ${kind.toLowerCase()} ${target}`);
  }
  return needed;
}

/** ALTER … OWNER, as the manual has it: a schema's asks the one who does it, a table's asks the new owner. */
async function ownershipObstacles(session: Session, old: string): Promise<Problem[]> {
  const { administrator, database } = session;
  const { rows } = await session.client.query<{ schemas: boolean; closed: string[]; database: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspowner = r.oid)
              AND NOT has_database_privilege(current_database(), 'CREATE') AS schemas,
            ARRAY(SELECT DISTINCT n.nspname::text FROM pg_namespace n
                    LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relowner = r.oid
                    LEFT JOIN pg_proc p ON p.pronamespace = n.oid AND p.proowner = r.oid
                   WHERE coalesce(c.oid, p.oid) IS NOT NULL AND n.nspname !~ '^pg_(toast|temp_)'
                     AND NOT has_schema_privilege(r.oid, n.oid, 'CREATE')) AS closed,
            EXISTS (SELECT FROM pg_database WHERE datdba = r.oid AND datname = current_database())
              AND NOT (SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user) AS database
       FROM pg_roles r WHERE rolname = $1`,
    [old],
  );
  const [row] = rows;
  const problems: Problem[] = [];
  if (row?.schemas) {
    problems.push({
      message: `${administrator} cannot give a schema that ${old} owns in database ${database} to another owner`,
      hint: `GRANT CREATE ON DATABASE ${id(database)} TO ${id(administrator)}, or use strategy group`,
    });
  }
  if (row?.database) {
    problems.push({
      message: `${administrator} cannot give the database ${database}, which ${old} owns, to another owner`,
      hint: `ALTER ROLE ${id(administrator)} CREATEDB, or use strategy group`,
    });
  }
  for (const schema of row?.closed ?? []) {
    problems.push({
      message: `${old} owns objects in schema ${schema} of database ${database} but may not create any there, so no new owner may take them`,
      hint: `GRANT CREATE ON SCHEMA ${id(schema)} TO ${id(old)}, or use strategy group`,
    });
  }
  return problems;
}

/** Roles whose rights the administrator needs and lacks. Those of the swap itself it borrows. */
async function lacking(session: Session, pair: RolePair, needed: ReadonlyMap<string, string>): Promise<Problem[]> {
  const { administrator, database, version } = session;
  const may = version >= 160_000 ? ` AND pg_has_role(oid, 'SET')` : '';
  const { rows } = await session.client.query<{ name: string; reserved: boolean }>(
    `SELECT rolname AS name, rolsuper OR rolname = 'pg_database_owner' AS reserved FROM pg_roles
      WHERE rolname = ANY ($1) AND NOT (pg_has_role(oid, 'USAGE')${may}) ORDER BY 1`,
    [[...needed.keys()].filter((name) => ![pair.old, pair.fresh, pair.group].includes(name))],
  );
  return rows.map(({ name, reserved }) => ({
    message: `${administrator} cannot act for ${name} in database ${database}, and has to: ${needed.get(name) ?? ''}`,
    hint: reserved
      ? 'let a superuser administer this swap, or use strategy group'
      : `GRANT ${id(name)} TO ${id(administrator)}, or use strategy group`,
  }));
}

async function membershipObstacles(session: Session, { old }: RolePair): Promise<Problem[]> {
  const { administrator, version } = session;
  const roles = (await readMemberships(session, [old])).filter(({ member }) => member === old).map(({ role }) => role);
  // Before 16 CREATEROLE is enough for every role but superusers.
  const condition = version >= 160_000 ? `NOT pg_has_role(oid, 'MEMBER WITH ADMIN OPTION')` : 'rolsuper';
  const { rows } = await session.client.query<{ name: string }>(
    `SELECT rolname AS name FROM pg_roles WHERE rolname = ANY ($1) AND ${condition} ORDER BY 1`,
    [roles],
  );
  return rows.map(({ name }) => ({
    message: `${administrator} cannot put the new role into ${name}, which ${old} is in`,
    hint: `GRANT ${id(name)} TO ${id(administrator)} WITH ADMIN OPTION`,
  }));
}

async function settingObstacles(session: Session, old: string): Promise<Problem[]> {
  const granted = session.version >= 150_000 ? `has_parameter_privilege(name, 'SET')` : 'false';
  const names = (await readSettings(session, [old])).map(({ name }) => name);
  const { rows } = await session.client.query<{ name: string }>(
    `SELECT name FROM pg_settings
      WHERE lower(name) IN (SELECT lower(n) FROM unnest($1::text[]) n) AND context IN ('superuser', 'superuser-backend')
        AND NOT ${granted}`,
    [names],
  );
  return rows.map(({ name }) => ({
    message: `${session.administrator} cannot give the new role the setting ${name}, which only a superuser may`,
    hint:
      session.version >= 150_000
        ? `GRANT SET ON PARAMETER ${name} TO ${id(session.administrator)}`
        : `ALTER ROLE ${id(old)} RESET ${name}, or let a superuser administer this swap`,
  }));
}
