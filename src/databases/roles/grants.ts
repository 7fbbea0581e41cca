/** Direct grants: read, given again to another role, taken back by whoever gave them. */
import type { Session } from './session.js';
import { id, runAll, runAllAs } from './session.js';
import { inWords, objectsIn, type ObjectKind } from './objects.js';

export interface Grant {
  readonly kind: ObjectKind;
  readonly target: string;
  readonly col: string | null;
  readonly owner: string;
  readonly grantor: string;
  /** null: PUBLIC. */
  readonly grantee: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
  readonly schema: string | null;
}

export type Scope = 'database' | 'cluster';

/** Every grant to or by one of the roles. */
export async function readGrants(session: Session, scope: Scope, roles: readonly string[]): Promise<Grant[]> {
  const { rows } = await session.client.query<Grant>(
    `WITH who AS (SELECT oid FROM pg_roles WHERE rolname = ANY ($1))
     SELECT o.kind, o.target, o.col, pg_get_userbyid(o.owner) AS owner, pg_get_userbyid(a.grantor) AS grantor,
            CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END AS grantee,
            a.privilege_type AS privilege, a.is_grantable AS grantable, n.nspname AS schema
       FROM (${objectsIn(scope, session.version)}) o
      CROSS JOIN LATERAL aclexplode(o.acl) a
       LEFT JOIN pg_namespace n ON n.oid = o.schema
      WHERE a.grantee IN (SELECT oid FROM who) OR a.grantor IN (SELECT oid FROM who)
      ORDER BY o.kind, o.target, o.col, a.privilege_type, 5, 6`,
    [roles],
  );
  return rows;
}

/**
 * Gives `to` what was granted to `from` and it lacks, by the same grantors; and grants again, as `to`, what `from` granted to
 * others, because that ends with `from`. What either of them owns is not granted: it comes with the ownership. `anyGrantor`: what `to`
 * has from another grantor it does not lack.
 * @returns what was given, in words.
 */
export async function carryGrants(
  session: Session,
  scope: Scope,
  { from, to, apart, anyGrantor = false }: { from: string; to: string; apart: readonly string[]; anyGrantor?: boolean },
): Promise<string[]> {
  const all = await readGrants(session, scope, [from, to]);
  const had = new Map(all.map((grant) => [keyOf(grant), grant.grantable]));
  const missing = (grant: Grant): boolean => {
    const grantable = had.get(keyOf(grant));
    return grantable === undefined || (grant.grantable && !grantable);
  };
  const nameless = (grant: Grant): string => keyOf({ ...grant, grantor: '' });
  const fromAnybody = new Map<string, boolean>();
  for (const grant of all.filter(({ grantee }) => grantee === to)) {
    fromAnybody.set(nameless(grant), grant.grantable || (fromAnybody.get(nameless(grant)) ?? false));
  }
  const lacking = (grant: Grant): boolean => {
    const grantable = fromAnybody.get(nameless(grant));
    return grantable === undefined || (grant.grantable && !grantable);
  };
  const foreign = all.filter(({ owner }) => owner !== from && owner !== to && !apart.includes(owner));
  const received = foreign
    .filter(({ grantee, grantor }) => grantee === from && grantor !== to && grantor !== from)
    .map((grant) => ({ ...grant, grantee: to }))
    .filter(anyGrantor ? lacking : missing);
  await give(session, received);
  const passedOn = foreign
    .filter(({ grantee, grantor }) => grantor === from && grantee !== to && grantee !== from)
    .filter(({ grantee }) => grantee === null || !apart.includes(grantee))
    .map((grant) => ({ ...grant, grantor: to }))
    .filter(missing);
  await give(session, passedOn);
  return [...received, ...passedOn].map((grant) => `${place(session, scope)}${grantInWords(grant)}`);
}

/** Takes back what others than the owner granted to the role: DROP OWNED leaves it, and DROP ROLE then fails. */
export async function revokeForeignGrants(session: Session, scope: Scope, role: string): Promise<void> {
  const grants = (await readGrants(session, scope, [role])).filter(
    ({ grantee, grantor, owner }) => grantee === role && grantor !== owner,
  );
  // What hangs on it goes as well: it was granted again in the new role's name, and DROP OWNED cascades in the same way.
  await asGrantors(
    session,
    grants,
    (grant, privileges) => `REVOKE ${privileges} ON ${on(grant)} FROM ${id(role)} CASCADE`,
  );
}

export function grantInWords(grant: Grant): string {
  const { privilege, grantee, grantor, grantable } = grant;
  return `${inWords(grant)}: ${privilege} to ${grantee ?? 'everybody'} by ${grantor}${grantable ? ', with grant option' : ''}`;
}

const keyOf = ({ kind, target, col, grantor, grantee, privilege }: Grant): string =>
  JSON.stringify([kind, target, col, grantor, grantee, privilege]);

const place = ({ database }: Session, scope: Scope): string => (scope === 'cluster' ? '' : `database ${database}: `);

const on = ({ kind, target }: Grant): string => (kind === 'COLUMN' ? `TABLE ${target}` : `${kind} ${target}`);

function give(session: Session, grants: readonly Grant[]): Promise<void> {
  return asGrantors(
    session,
    grants,
    (grant, privileges) =>
      `GRANT ${privileges} ON ${on(grant)} TO ${grant.grantee === null ? 'PUBLIC' : id(grant.grantee)}${grant.grantable ? ' WITH GRANT OPTION' : ''}`,
  );
}

/** One statement for each object, grantor and grantee; each grantor's statements in its own name. */
async function asGrantors(
  session: Session,
  grants: readonly Grant[],
  statement: (grant: Grant, privileges: string) => string,
): Promise<void> {
  const statements = new Map<string, Grant[]>();
  for (const grant of grants) {
    const { kind, target, grantor, grantee, grantable } = grant;
    const key = JSON.stringify([kind, target, grantor, grantee, grantable]);
    statements.set(key, [...(statements.get(key) ?? []), grant]);
  }
  const byOwner: string[] = [];
  const byOthers = new Map<string, { statements: string[]; schemas: Set<string> }>();
  for (const same of statements.values()) {
    const [grant] = same;
    if (!grant) continue;
    const text = statement(
      grant,
      same.map(({ privilege, col }) => (col === null ? privilege : `${privilege} (${col})`)).join(', '),
    );
    // An administrator who has the owner's rights acts as the owner without being asked to.
    if (grant.grantor === grant.owner) byOwner.push(text);
    else {
      const others = byOthers.get(grant.grantor) ?? { statements: [], schemas: new Set<string>() };
      others.statements.push(text);
      if (grant.schema !== null) others.schemas.add(grant.schema);
      byOthers.set(grant.grantor, others);
    }
  }
  await runAll(session, byOwner);
  for (const [grantor, others] of byOthers) {
    const closed = await closedSchemas(session, grantor, [...others.schemas]);
    await runAll(
      session,
      closed.map((schema) => `GRANT USAGE ON SCHEMA ${id(schema)} TO ${id(grantor)}`),
    );
    await runAllAs(session, grantor, others.statements);
    await runAll(
      session,
      closed.map((schema) => `REVOKE USAGE ON SCHEMA ${id(schema)} FROM ${id(grantor)}`),
    );
  }
}

/** A grantor who may no longer look into a schema cannot name what is in it, not even to take a grant back. */
async function closedSchemas(session: Session, role: string, schemas: readonly string[]): Promise<string[]> {
  const { rows } = await session.client.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace
      WHERE nspname = ANY ($1) AND NOT has_schema_privilege($2::name, oid, 'USAGE')`,
    [schemas, role],
  );
  return rows.map(({ name }) => name);
}
