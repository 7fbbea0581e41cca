/**
 * What the overlap needs with strategy `copy`: each role works on what the other owns or creates. The new one is a member of the
 * old one; the old one is granted everything on what the new one will create, because membership cannot go both ways. Dropping
 * either role takes it away again.
 */
import { openFutureObjects } from './default-privileges.js';
import { grantMembership, readMemberships } from './memberships.js';
import type { RolePair } from './pair.js';
import type { Session } from './session.js';
import { id, runAll } from './session.js';

/** Idempotent. */
export async function buildBridge(session: Session, { old, fresh }: RolePair): Promise<void> {
  const present = await readMemberships(session, [old]);
  if (present.some(({ role, member }) => role === old && member === fresh)) return;
  // SET FALSE: it shall not act as the old role, whose name must disappear from the sessions.
  await runAll(session, [grantMembership(session, old, fresh, { admin: false, inherit: true, set: false })]);
}

/** In this database. Idempotent. */
export async function bridgeFutureObjects(session: Session, { old, fresh }: RolePair): Promise<void> {
  await openFutureObjects(session, fresh, old);
}

/** For the rest of a transaction that is rolled back: what the new role has without the old one's help. */
export async function withoutBridge(session: Session, { strategy, old, fresh }: RolePair): Promise<void> {
  if (strategy !== 'copy') return;
  const present = (await readMemberships(session, [old])).filter(
    ({ role, member }) => role === old && member === fresh,
  );
  await runAll(
    session,
    present.map(
      ({ grantor }) =>
        `REVOKE ${id(old)} FROM ${id(fresh)}${session.version >= 160_000 ? ` GRANTED BY ${id(grantor)}` : ''}`,
    ),
  );
}
