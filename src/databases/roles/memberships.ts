/** Memberships: in which roles a role is, who is in it, and what it granted to others. */
import { PREFIX } from '../access/working-login-end.js';
import type { Session } from './session.js';
import { id, runAll } from './session.js';

export interface Membership {
  readonly role: string;
  readonly member: string;
  readonly grantor: string;
  readonly admin: boolean;
  /** Null before PostgreSQL 16, where the member's own INHERIT decides and SET ROLE is always allowed. */
  readonly inherit: boolean | null;
  readonly set: boolean | null;
}

/** Where one of the roles is the role, the member or the grantor. Logins that Keyturn makes for a step are nobody's to inherit. */
export async function readMemberships(session: Session, roles: readonly string[]): Promise<Membership[]> {
  const options = session.version >= 160_000 ? 'm.inherit_option, m.set_option' : 'NULL::boolean, NULL::boolean';
  const { rows } = await session.client.query<Membership>(
    `SELECT pg_get_userbyid(m.roleid) AS role, pg_get_userbyid(m.member) AS member, pg_get_userbyid(m.grantor) AS grantor,
            x.admin, x.inherit, x.set
       FROM pg_auth_members m, LATERAL (SELECT m.admin_option, ${options}) x (admin, inherit, set)
       JOIN pg_roles r ON r.rolname = ANY ($1)
      WHERE r.oid IN (m.roleid, m.member, m.grantor) AND NOT starts_with(pg_get_userbyid(m.member)::text, '${PREFIX}')
      GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3`,
    [roles],
  );
  return rows;
}

/**
 * Puts `to` into the roles that `from` is in, those who are in `from` into `to` (with `members`), and grants again as `to` what
 * `from` granted. `anyGrantor`: who is in a role by another grantor's hand, and with no less, is in it. @returns what was given, in words.
 */
export async function carryMemberships(
  session: Session,
  { from, to, members, anyGrantor = false }: { from: string; to: string; members: boolean; anyGrantor?: boolean },
): Promise<string[]> {
  const all = await readMemberships(session, [from, to]);
  const renamed = (name: string): string => (name === from ? to : name);
  const below = new Set(await rolesBelow(session, to));
  const received = all
    .filter(({ role, member }) => member === from && role !== to && !below.has(role))
    // The role's own grants to itself come last: only then has the new one ADMIN OPTION for them.
    .sort((a, b) => Number(a.grantor === from) - Number(b.grantor === from));
  // The administrator's own: see followAsAdministrator.
  const followers = members
    ? all.filter(({ role, member }) => role === from && member !== to && member !== session.administrator)
    : [];
  // Before 16 the grantor is a remark: nothing ends with it.
  const passedOn =
    session.version >= 160_000
      ? all.filter(({ role, member, grantor }) => grantor === from && role !== from && ![from, to].includes(member))
      : [];
  const missing = [...received, ...followers, ...passedOn]
    .map((membership) => ({
      role: renamed(membership.role),
      member: renamed(membership.member),
      // Who may put somebody into the old role is not thereby one who may put somebody into the new one.
      grantor: membership.role === from ? null : renamed(membership.grantor),
      options: membership,
    }))
    .filter(({ role, member, grantor, options }) => {
      const present = all.filter((has) => has.role === role && has.member === member);
      if (anyGrantor) return lessThan(present, options);
      return !present.some(
        (has) =>
          (session.version < 160_000 || grantor === null || has.grantor === grantor) &&
          (has.admin || !options.admin) &&
          has.inherit === options.inherit &&
          has.set === options.set,
      );
    });
  await runAll(
    session,
    missing.map(({ role, member, grantor, options }) => grantMembership(session, role, member, options, grantor)),
  );
  return missing.map(({ role, member }) => `${member}: member of ${role}`);
}

/**
 * The administrator's own membership in `from`, if `to` takes its place and not if it is a group that `from` is in. Called before the
 * administrator borrows anything, since what it has borrowed would look the same. That it made a role puts it in there with ADMIN
 * OPTION only (PostgreSQL 16): this is not what anybody relies on, and `to` has it too. @returns what was given, in words.
 */
export async function followAsAdministrator(
  session: Session,
  { from, to }: { from: string; to: string },
): Promise<string[]> {
  const { administrator } = session;
  const all = await readMemberships(session, [from, to]);
  if (all.some(({ role, member }) => role === to && member === from)) return [];
  const used = (name: string): Membership[] =>
    all.filter(
      ({ role, member, inherit, set }) =>
        role === name && member === administrator && ((inherit ?? true) || (set ?? true)),
    );
  const had = used(from);
  const options =
    session.version < 160_000
      ? { admin: false, inherit: null, set: null }
      : { admin: false, inherit: had.some(({ inherit }) => inherit), set: had.some(({ set }) => set) };
  if (had.length === 0 || !lessThan(used(to), options)) return [];
  await runAll(session, [grantMembership(session, to, administrator, options)]);
  return [`${administrator}: member of ${to}`];
}

/** Whether memberships of one role in another are, taken together, less than another one. */
function lessThan(
  present: readonly Membership[],
  { admin, inherit, set }: Pick<Membership, 'admin' | 'inherit' | 'set'>,
): boolean {
  return (
    present.length === 0 ||
    (admin && !present.some((has) => has.admin)) ||
    (inherit === true && !present.some((has) => has.inherit)) ||
    (set === true && !present.some((has) => has.set))
  );
}

/**
 * Takes the role out of every role it is in, and with that what it granted there. Before its grants are revoked: a role that has a
 * grant option through a membership still counts as a grantor, and what it granted to others stays.
 */
export async function leaveRoles(session: Session, role: string): Promise<void> {
  const { version, superuser, administrator } = session;
  const all = (await readMemberships(session, [role])).filter(
    ({ member, grantor }) => member === role && (version < 160_000 || superuser || grantor === administrator),
  );
  await runAll(
    session,
    all.map(
      ({ role: of, grantor }) =>
        `REVOKE ${id(of)} FROM ${id(role)}${version >= 160_000 ? ` GRANTED BY ${id(grantor)}` : ''} CASCADE`,
    ),
  );
}

export function membershipInWords({ role, member, grantor, admin, inherit, set }: Membership): string {
  const options = [
    ...(admin ? ['ADMIN'] : []),
    ...(inherit === null ? [] : [`INHERIT ${inherit}`]),
    ...(set === null ? [] : [`SET ${set}`]),
  ];
  return `member of ${role}: ${member}, by ${grantor}${options.length > 0 ? ` (${options.join(', ')})` : ''}`;
}

/** Options that are null, and a grantor other than oneself, are left out where the server knows none. */
export function grantMembership(
  { version, superuser }: Session,
  role: string,
  member: string,
  { admin, inherit, set }: Pick<Membership, 'admin' | 'inherit' | 'set'>,
  grantor: string | null = null,
): string {
  const grant = `GRANT ${id(role)} TO ${id(member)}`;
  if (version < 160_000) return `${grant}${admin ? ' WITH ADMIN OPTION' : ''}`;
  // Only who has the grantor's rights may grant in its name.
  const by = grantor !== null && superuser ? ` GRANTED BY ${id(grantor)}` : '';
  return `${grant} WITH ADMIN ${admin}, INHERIT ${inherit ?? true}, SET ${set ?? true}${by}`;
}

/** Roles that are in `role`, directly or not: it cannot be put into them as well. */
async function rolesBelow(session: Session, role: string): Promise<string[]> {
  const { rows } = await session.client.query<{ name: string }>(
    `SELECT r.rolname AS name FROM pg_roles r JOIN pg_roles t ON t.rolname = $1
      WHERE r.oid <> t.oid AND NOT r.rolsuper AND pg_has_role(r.oid, t.oid, 'MEMBER')`,
    [role],
  );
  return rows.map(({ name }) => name);
}
