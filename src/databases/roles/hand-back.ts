/** The undo of a new role: what others gave it while it was in use stays with the role that takes over again. */
import { carryDefaults } from './default-privileges.js';
import { carryGrants } from './grants.js';
import { carryMemberships } from './memberships.js';
import { carryPolicies } from './policies.js';
import type { Session } from './session.js';
import { carryMappings } from './user-mappings.js';

/**
 * Grants, memberships, default privileges, policies and user mappings that `heir` lacks, in this database and among what the cluster
 * shares. What the new role got from the heir when it was made, the heir does not lack, whoever had to grant it; nothing is taken from
 * the heir. The bridge is between the two and ends with the role. Members of the role had the heir's rights through it: they follow.
 * Idempotent. @returns what was given, in words.
 */
export async function handBack(session: Session, { role, heir }: { role: string; heir: string }): Promise<string[]> {
  const between = { from: role, to: heir, anyGrantor: true };
  const apart = [role, heir];
  return [
    ...(await carryMemberships(session, { ...between, members: true })),
    ...(await carryGrants(session, 'cluster', { ...between, apart })),
    ...(await carryGrants(session, 'database', { ...between, apart })),
    ...(await carryDefaults(session, { from: role, to: heir, onlyAdd: true })),
    // Keyturn put the new role into the heir's policies: what is missing here was made for the new one.
    ...(await carryPolicies(session, { from: role, to: heir })),
    ...(await carryMappings(session, { from: role, to: heir })),
  ];
}
