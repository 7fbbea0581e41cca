/**
 * What a role can do after it has logged in, as the server itself answers: has_*_privilege for every object, ownership that it
 * reaches, row-level policies, memberships, default privileges. In names where the role itself is called `itself`, so that two
 * roles, or one role's before and after, can be compared.
 */
import { PREFIX } from '../access/working-login-end.js';
import type { Server } from '../server.js';
import { defaultInWords, readDefaults } from './default-privileges.js';
import { inWords, objectsIn, privilegeRows, type ObjectKind } from './objects.js';
import { inEach, otherDatabases } from './reach.js';
import { needRole } from './role-facts.js';
import type { Session } from './session.js';
import { inTransaction } from './session.js';
import { readSettings } from './settings.js';
import { readMappings } from './user-mappings.js';

/** Subject ("database app: table public.orders") to what the role has there. Subjects without anything are left out. */
export type Rights = ReadonlyMap<string, readonly string[]>;

export interface Reading {
  /** Roles that do not count as others: what they own, and membership in them, is left out. Default: none. */
  readonly apart?: readonly string[];
  /** Run first in each transaction, which is rolled back. */
  readonly prepare?: (session: Session) => Promise<void>;
}

interface Reader {
  readonly role: string;
  /** Whom it works as in the database that is being read. */
  readonly acting: string;
  readonly apart: readonly string[];
  readonly rights: Map<string, readonly string[]>;
}

/**
 * The rights of each of `roles`, over the whole cluster: in every database that can be connected to. Changes nothing. @throws KeyturnError
 * `unknown-role`, and as Server.
 */
export async function readRights(
  server: Server,
  roles: readonly string[],
  { apart = [], prepare }: Reading = {},
): Promise<Rights[]> {
  const all = roles.map((role) => ({ role, rights: new Map<string, readonly string[]>() }));
  const actingNow = async (session: Session): Promise<Reader[]> => {
    await prepare?.(session);
    const passing = [...apart, ...(await withOwnership(session, apart))];
    const readers: Reader[] = [];
    for (const one of all) readers.push({ ...one, apart: passing, acting: await actingRole(session, one.role) });
    return readers;
  };
  const others = await inTransaction(server, { purpose: 'read' }, async (session) => {
    const readers = await actingNow(session);
    for (const reader of readers) await readShared(session, reader);
    await readObjects(session, 'cluster', '', readers);
    await readDatabase(session, readers);
    return otherDatabases(session);
  });
  await inEach(server, others, (database) =>
    inTransaction(server, { purpose: 'read', database }, async (session) =>
      readDatabase(session, await actingNow(session)),
    ),
  );
  return all.map(({ rights }) => rights);
}

/** Nobody is granted `pg_database_owner`: a database's owner is its member, and it goes over with the ownership. */
async function withOwnership(session: Session, apart: readonly string[]): Promise<string[]> {
  const { rows } = await session.client.query<{ ours: boolean }>(
    'SELECT pg_get_userbyid(datdba) = ANY ($1) AS ours FROM pg_database WHERE datname = current_database()',
    [apart],
  );
  return rows[0]?.ours ? ['pg_database_owner'] : [];
}

async function readShared(session: Session, reader: Reader): Promise<void> {
  const { role, acting, rights } = reader;
  const login = await needRole(session, role);
  const works = acting === role ? login : await needRole(session, acting);
  for (const [name, has] of [
    ['LOGIN', login.canLogin],
    ['REPLICATION', login.replication],
    ['SUPERUSER', works.superuser],
    ['CREATEROLE', works.createRole],
    ['CREATEDB', works.createDatabase],
    ['BYPASSRLS', works.bypassRls],
    ['INHERIT', works.inherit],
  ] as const) {
    if (has) rights.set(`attribute ${name}`, ['it']);
  }
  rights.set('connection limit', [String(login.connectionLimit)]);
  rights.set('valid until', [login.validUntil ?? 'for ever']);
  for (const { name, database, value } of await readSettings(session, [role])) {
    // Whom it works as shows in everything else.
    if (name !== 'role') rights.set(`setting ${name}${database === null ? '' : ` in database ${database}`}`, [value]);
  }
  await readMembership(session, reader);
}

async function readDatabase(session: Session, readers: readonly Reader[]): Promise<void> {
  const where = `database ${session.database}: `;
  await readObjects(session, 'database', where, readers);
  for (const reader of readers) {
    const { acting, rights } = reader;
    await readPolicies(session, where, acting, rights);
    await readFutures(session, where, reader);
    for (const server of await readMappings(session, acting)) {
      rights.set(`${where}user mapping for server ${server}`, ['it']);
    }
  }
}

/** Whom a session of this role works as in this database: a `role` setting changes current_user, if it may. */
export async function actingRole(session: Session, role: string): Promise<string> {
  const may = session.version >= 160_000 ? 'SET' : 'MEMBER';
  const { rows } = await session.client.query<{ acting: string }>(
    `SELECT a.rolname AS acting FROM pg_roles a WHERE a.rolname = (
       SELECT substr(c, 6) FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c
        WHERE s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = $1))
          AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
          AND c LIKE 'role=%'
        -- Which one wins, by the manual: for the role in the database, for the role, for the database.
        ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1)
       AND pg_has_role($1::name, a.oid, '${may}')`,
    [role],
  );
  return rows[0]?.acting ?? role;
}

interface ObjectRow {
  acting: string;
  kind: ObjectKind;
  target: string;
  col: string | null;
  has: string[];
}

async function readObjects(
  session: Session,
  scope: 'database' | 'cluster',
  where: string,
  readers: readonly Reader[],
): Promise<void> {
  const { rows } = await session.client.query<ObjectRow>(
    `WITH o AS MATERIALIZED (
       SELECT * FROM (${objectsIn(scope, session.version)}) o
        WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = o.owner AND r.rolname = ANY ($2))),
     p (kind, privilege) AS (VALUES ${privilegeRows(session.version)}),
     me AS MATERIALIZED (SELECT oid, rolname FROM pg_roles WHERE rolname = ANY ($1)),
     has AS (
       SELECT me.rolname, o.kind, o.target, o.col, p.privilege || (CASE WHEN grantable THEN ' with grant option' ELSE '' END) AS what
         FROM me CROSS JOIN o JOIN p USING (kind) CROSS JOIN unnest(ARRAY[false, true]) g (grantable)
        WHERE ${hasPrivilege(session.version)}
       UNION ALL
       SELECT me.rolname, o.kind, o.target, o.col, 'ownership'
         FROM me CROSS JOIN o WHERE o.kind <> 'COLUMN' AND pg_has_role(me.oid, o.owner, 'USAGE'))
     SELECT rolname AS acting, kind, target, col, array_agg(what ORDER BY what) AS has FROM has GROUP BY 1, 2, 3, 4`,
    [readers.map(({ acting }) => acting), readers[0]?.apart ?? []],
  );
  for (const row of rows) {
    for (const { acting, rights } of readers) if (acting === row.acting) rights.set(`${where}${inWords(row)}`, row.has);
  }
}

/** The server's own answer wherever it has one; for large objects only from 18 on, and for a parameter by its name. */
function hasPrivilege(version: number): string {
  const wanted = `p.privilege || CASE WHEN g.grantable THEN ' WITH GRANT OPTION' ELSE '' END`;
  const ask = (kind: ObjectKind, name: string): string =>
    `WHEN '${kind}' THEN has_${name}_privilege(me.oid, o.oid, ${wanted})`;
  return `CASE o.kind
    ${ask('SCHEMA', 'schema')}
    ${ask('TABLE', 'table')}
    ${ask('SEQUENCE', 'sequence')}
    WHEN 'COLUMN' THEN has_column_privilege(me.oid, o.oid, o.sub::int2, ${wanted})
    ${ask('ROUTINE', 'function')}
    ${ask('TYPE', 'type')}
    ${ask('LANGUAGE', 'language')}
    ${ask('FOREIGN DATA WRAPPER', 'foreign_data_wrapper')}
    ${ask('FOREIGN SERVER', 'server')}
    ${ask('DATABASE', 'database')}
    ${ask('TABLESPACE', 'tablespace')}
    ${version >= 150_000 ? `WHEN 'PARAMETER' THEN has_parameter_privilege(me.oid, (SELECT parname FROM pg_parameter_acl a WHERE a.oid = o.oid), ${wanted})` : ''}
    WHEN 'LARGE OBJECT' THEN EXISTS (
      SELECT FROM aclexplode(o.acl) a
       WHERE a.privilege_type = p.privilege AND (a.is_grantable OR NOT g.grantable OR a.grantee = o.owner)
         AND (a.grantee = 0 OR pg_has_role(me.oid, a.grantee, 'USAGE')))
    END`;
}

async function readPolicies(session: Session, where: string, acting: string, rights: Reader['rights']): Promise<void> {
  const { rows } = await session.client.query<{ name: string; table: string }>(
    `SELECT p.polname AS name, format('%I.%I', n.nspname, c.relname) AS table
       FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE EXISTS (SELECT FROM unnest(p.polroles) r WHERE r = 0 OR pg_has_role($1::name, r, 'USAGE'))`,
    [acting],
  );
  for (const { name, table } of rows) rights.set(`${where}policy ${name} on ${table}`, ['it']);
}

async function readFutures(session: Session, where: string, { acting, apart, rights }: Reader): Promise<void> {
  const futures = (await readDefaults(session, [acting])).filter(
    ({ creator, grantee }) =>
      (creator === acting || !apart.includes(creator)) &&
      (grantee === null || grantee === acting || !apart.includes(grantee)),
  );
  const called = (name: string): string => (name === acting ? 'itself' : name);
  for (const entry of futures) {
    const words = defaultInWords({
      ...entry,
      creator: called(entry.creator),
      grantee: entry.grantee === null ? null : called(entry.grantee),
    });
    rights.set(`${where}${words}`, ['it']);
  }
}

/** Logins that Keyturn makes for a step, of this run or another, come and go. */
async function readMembership(session: Session, { role, acting, apart, rights }: Reader): Promise<void> {
  // SET ROLE asks the role that logged in, everything else the one that is worked as.
  const may = session.version >= 160_000 ? 'SET' : 'MEMBER';
  const { rows } = await session.client.query<{ name: string; has: string[] }>(
    `SELECT r.rolname AS name, array_remove(ARRAY[
              CASE WHEN pg_has_role($2::name, r.oid, 'USAGE') THEN 'its rights' END,
              CASE WHEN pg_has_role($1::name, r.oid, '${may}') THEN 'SET ROLE' END,
              CASE WHEN pg_has_role($2::name, r.oid, 'USAGE WITH ADMIN OPTION') THEN 'ADMIN OPTION' END,
              CASE WHEN r.rolname NOT IN (session_user, $2) AND NOT r.rolsuper AND pg_has_role(r.oid, $2::name, 'USAGE') THEN 'has it as a member' END],
            NULL) AS has
       FROM pg_roles r WHERE NOT r.rolname = ANY ($3) AND r.rolname <> $1 AND NOT starts_with(r.rolname::text, '${PREFIX}')`,
    [role, acting, apart],
  );
  for (const { name, has } of rows) if (has.length > 0) rights.set(`role ${name}`, has);
}
