/** An administrator who is not a superuser acts for the roles of a swap by being in them, for one transaction. */
import { grantMembership, readMemberships, type Membership } from './memberships.js';
import type { Session } from './session.js';
import { id, runAll } from './session.js';

/**
 * REASSIGN OWNED, DROP OWNED and grants in a role's name ask for that role's rights. From PostgreSQL 16 on the creator of a role has
 * ADMIN OPTION only, which lets it take the rest; before, CREATEROLE does. Given back before the transaction ends.
 */
export async function borrowing<T>(session: Session, roles: readonly string[], work: () => Promise<T>): Promise<T> {
  if (session.superuser) return work();
  const borrowed = await lacking(session, roles);
  const before = await ownMemberships(session, borrowed);
  const with16 = session.version >= 160_000 ? ' WITH INHERIT TRUE, SET TRUE' : '';
  await runAll(
    session,
    borrowed.map((role) => `GRANT ${id(role)} TO CURRENT_USER${with16}`),
  );
  const result = await work();
  const left = await existing(session, borrowed);
  await runAll(
    session,
    left.map((role) => giveBack(session, role, before)),
  );
  return result;
}

/** What the administrator had by its own hand, it has again with the same options: to take it away is not giving back. */
function giveBack(session: Session, role: string, before: readonly Membership[]): string {
  const had = before.find((each) => each.role === role);
  if (had) return grantMembership(session, role, session.administrator, had);
  return `REVOKE ${id(role)} FROM CURRENT_USER${session.version >= 160_000 ? ' GRANTED BY CURRENT_USER' : ''}`;
}

/** Before 16 there is one membership, whoever granted it. */
async function ownMemberships(session: Session, roles: readonly string[]): Promise<Membership[]> {
  const { administrator, version } = session;
  return (await readMemberships(session, roles)).filter(
    ({ role, member, grantor }) =>
      roles.includes(role) && member === administrator && (version < 160_000 || grantor === administrator),
  );
}

async function lacking(session: Session, roles: readonly string[]): Promise<string[]> {
  const may = session.version >= 160_000 ? ` AND pg_has_role(oid, 'SET')` : '';
  const { rows } = await session.client.query<{ name: string }>(
    `SELECT rolname AS name FROM pg_roles
      WHERE rolname = ANY ($1) AND rolname <> current_user AND NOT (pg_has_role(oid, 'USAGE')${may})`,
    [roles],
  );
  return rows.map(({ name }) => name);
}

async function existing(session: Session, roles: readonly string[]): Promise<string[]> {
  const { rows } = await session.client.query<{ name: string }>(
    'SELECT rolname AS name FROM pg_roles WHERE rolname = ANY ($1)',
    [roles],
  );
  return rows.map(({ name }) => name);
}
