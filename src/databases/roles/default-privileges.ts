/** Default privileges: what a role's future objects grant. REASSIGN OWNED leaves them behind, DROP OWNED drops them. */
import type { Session } from './session.js';
import { id, runAll } from './session.js';

export interface DefaultGrant {
  readonly creator: string;
  /** null: in every schema, in place of the built-in defaults; else in addition to those. */
  readonly schema: string | null;
  /** As in pg_default_acl. */
  readonly type: string;
  /** null: PUBLIC. */
  readonly grantee: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
  /** Whether it is the built-in default that stands here, because no entry replaces it. */
  readonly builtIn: boolean;
}

const OBJECTS: Readonly<Record<string, string>> = {
  r: 'TABLES',
  S: 'SEQUENCES',
  f: 'FUNCTIONS',
  T: 'TYPES',
  n: 'SCHEMAS',
  L: 'LARGE OBJECTS',
};

/** Entries for the roles' own future objects, and entries of others that grant to them. */
export async function readDefaults(session: Session, roles: readonly string[]): Promise<DefaultGrant[]> {
  const { rows } = await session.client.query<DefaultGrant>(
    `WITH who AS (SELECT oid FROM pg_roles WHERE rolname = ANY ($1)),
     entries AS (
       SELECT defaclrole AS creator, defaclnamespace AS schema, defaclobjtype AS type, defaclacl AS acl, false AS "builtIn" FROM pg_default_acl
       UNION ALL
       SELECT who.oid, 0, t.type, acldefault(CASE t.type WHEN 'S' THEN 's' ELSE t.type END, who.oid), true
         FROM who, unnest(ARRAY[${types(session)}]::"char"[]) t (type)
        WHERE NOT EXISTS (SELECT FROM pg_default_acl d WHERE d.defaclrole = who.oid AND d.defaclnamespace = 0 AND d.defaclobjtype = t.type))
     SELECT pg_get_userbyid(e.creator) AS creator, n.nspname AS schema, e.type, e."builtIn",
            CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END AS grantee,
            a.privilege_type AS privilege, a.is_grantable AS grantable
       FROM entries e CROSS JOIN LATERAL aclexplode(e.acl) a LEFT JOIN pg_namespace n ON n.oid = e.schema
      WHERE e.creator IN (SELECT oid FROM who) OR a.grantee IN (SELECT oid FROM who)
      ORDER BY 1, 2 NULLS FIRST, 3, 5 NULLS FIRST, 6`,
    [roles],
  );
  return rows;
}

/**
 * Makes the future objects of `to` grant what those of `from` do, and other creators' future objects grant to `to` what they grant to
 * `from`. `onlyAdd`: takes nothing away from what everybody gets by default. @returns what was given, in words.
 */
export async function carryDefaults(
  session: Session,
  { from, to, onlyAdd = false }: { from: string; to: string; onlyAdd?: boolean },
): Promise<string[]> {
  const all = await readDefaults(session, [from, to]);
  const had = new Map(all.map((entry) => [keyOf(entry), entry]));
  const wanted = all
    .filter(({ creator, grantee }) => creator === from || (grantee === from && creator !== to))
    // The old role's rights on what the new one creates are the bridge's business.
    .map((entry) => ({
      ...entry,
      creator: entry.creator === from ? to : entry.creator,
      grantee: entry.grantee === from ? to : entry.grantee,
    }))
    .filter(({ creator, grantee }) => creator !== to || grantee !== from);
  const keys = new Set(wanted.map(keyOf));
  const missing = wanted.filter((entry) => {
    if (entry.builtIn) return false;
    const present = had.get(keyOf(entry));
    return present === undefined || (entry.grantable && !present.grantable);
  });
  // Only what replaces the built-in defaults can take something of them away, such as EXECUTE for everybody.
  const replaced = new Set(wanted.filter(({ schema, builtIn }) => schema === null && !builtIn).map(({ type }) => type));
  const emptied = emptiedTypes(session, all, from);
  const excess = all.filter(
    (entry) =>
      !onlyAdd &&
      entry.creator === to &&
      entry.schema === null &&
      (entry.grantee === to || entry.grantee === null) &&
      (replaced.has(entry.type) || emptied.has(entry.type)) &&
      !keys.has(keyOf(entry)),
  );
  await runAll(session, [...excess.map(revokeStatement), ...missing.map(grantStatement)]);
  return missing.map((entry) => `database ${session.database}: ${defaultInWords(entry)}`);
}

/** From now on `user` may do with what `creator` makes in this database what `creator` itself may, short of owning it. */
export async function openFutureObjects(session: Session, creator: string, user: string): Promise<void> {
  const own = (await readDefaults(session, [creator])).filter((entry) => entry.creator === creator);
  const present = new Set(own.map(keyOf));
  await runAll(
    session,
    own
      .filter((entry) => entry.grantee === creator)
      .map((entry) => ({ ...entry, grantee: user, grantable: false }))
      .filter((entry) => !present.has(keyOf(entry)))
      .map(grantStatement),
  );
}

export function defaultInWords({ creator, schema, type, grantee, privilege, grantable }: DefaultGrant): string {
  const where = schema === null ? '' : ` in schema ${schema}`;
  return `default privileges of ${creator}${where}: ${privilege} on ${(OBJECTS[type] ?? type).toLowerCase()} to ${grantee ?? 'everybody'}${grantable ? ', with grant option' : ''}`;
}

const keyOf = ({ creator, schema, type, grantee, privilege }: DefaultGrant): string =>
  JSON.stringify([creator, schema, type, grantee, privilege]);

const typesOf = ({ version }: Session): string[] => ['r', 'S', 'f', 'T', 'n', ...(version >= 180_000 ? ['L'] : [])];
const types = (session: Session): string =>
  typesOf(session)
    .map((type) => `'${type}'`)
    .join(', ');

/** Types whose entry grants nothing at all, not even to the creator: it has no row to show. */
function emptiedTypes(session: Session, all: readonly DefaultGrant[], role: string): Set<string> {
  const shown = new Set(
    all.filter(({ creator, schema }) => creator === role && schema === null).map(({ type }) => type),
  );
  return new Set(typesOf(session).filter((type) => !shown.has(type)));
}

function prefix({ creator, schema }: DefaultGrant): string {
  return `ALTER DEFAULT PRIVILEGES FOR ROLE ${id(creator)}${schema === null ? '' : ` IN SCHEMA ${id(schema)}`}`;
}

const grantee = ({ grantee: name }: DefaultGrant): string => (name === null ? 'PUBLIC' : id(name));

function grantStatement(entry: DefaultGrant): string {
  const { privilege, type, grantable } = entry;
  return `${prefix(entry)} GRANT ${privilege} ON ${OBJECTS[type] ?? ''} TO ${grantee(entry)}${grantable ? ' WITH GRANT OPTION' : ''}`;
}

function revokeStatement(entry: DefaultGrant): string {
  return `${prefix(entry)} REVOKE ${entry.privilege} ON ${OBJECTS[entry.type] ?? ''} FROM ${grantee(entry)}`;
}
