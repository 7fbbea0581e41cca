/** Gives the new role what the old one has and it lacks. Never takes anything from either. */
import type { Server } from '../server.js';
import { carryAttributes } from './attributes.js';
import { bridgeFutureObjects, buildBridge } from './bridge.js';
import { carryDefaults } from './default-privileges.js';
import { carryGrants } from './grants.js';
import { carryMemberships, followAsAdministrator, grantMembership, readMemberships } from './memberships.js';
import { borrowing } from './borrowed.js';
import { refuseEventTriggers } from './event-triggers.js';
import { holderOf, type RolePair } from './pair.js';
import { ownerChanges } from './ownership.js';
import { carryPolicies, policyChanges } from './policies.js';
import { inEach, reachableDatabases } from './reach.js';
import { needRole } from './role-facts.js';
import type { Session } from './session.js';
import { id, inTransaction, runAll } from './session.js';
import { carrySettings, readSettings, setStatement } from './settings.js';
import { changeTables } from './table-by-table.js';
import { carryMappings } from './user-mappings.js';

/**
 * Idempotent: a second call gives only what appeared meanwhile (tables, grants, settings), and leaves limits and settings that the new
 * role has differently by then: somebody tuned them. One transaction for what the cluster shares and the application's database, one
 * for each of the others, so that a failure leaves whole databases done. @returns what was given, in words.
 * @throws KeyturnError `unknown-role`; `database-closed`; `query-failed`, retryable when a lock was not to be had; and as Server.
 */
export async function carryOver(server: Server, pair: RolePair): Promise<{ given: string[] }> {
  const databases = await inTransaction(server, { purpose: 'read' }, async (session) => {
    for (const name of rolesOf(pair)) await needRole(session, name);
    return [...new Set([session.database, ...(await reachableDatabases(session, [pair.old]))])];
  });
  const alone = await inEach(server, databases, (database) => changeLockedTables(server, database, pair));
  const first = await inTransaction(server, {}, async (session) => {
    await refuseEventTriggers(session);
    const own =
      pair.strategy === 'copy' ? await followAsAdministrator(session, { from: pair.old, to: pair.fresh }) : [];
    return borrowing(session, rolesOf(pair), async () => ({
      given: [...own, ...(await carryShared(session, pair)), ...(await carryDatabase(session, pair))],
      others: (await reachableDatabases(session, [pair.old])).filter((name) => name !== session.database),
    }));
  });
  const others = await inEach(server, first.others, (database) =>
    inTransaction(server, { database }, async (session) => {
      await refuseEventTriggers(session);
      return borrowing(session, rolesOf(pair), () => carryDatabase(session, pair));
    }),
  );
  return { given: [...alone.flat(), ...first.given, ...others.flat()] };
}

/** What is left of this for the transactions below is what was made in between. */
async function changeLockedTables(server: Server, database: string, pair: RolePair): Promise<string[]> {
  const names = { from: pair.old, to: holderOf(pair) };
  if (names.from === names.to) return [];
  return changeTables(server, database, rolesOf(pair), async (session) => [
    ...(await policyChanges(session, names)),
    ...(pair.strategy === 'group' ? await ownerChanges(session, names) : []),
  ]);
}

export const rolesOf = (pair: RolePair): string[] => [...new Set([pair.old, pair.fresh, holderOf(pair)])];

async function carryShared(session: Session, pair: RolePair): Promise<string[]> {
  const { strategy, old, fresh } = pair;
  const holder = holderOf(pair);
  const which = strategy === 'copy' ? 'all' : 'login';
  const itself = strategy === 'copy' ? null : holder;
  // The membership is made in the same transaction as the first copy, and tells that there was one.
  const again = (await readMemberships(session, [fresh])).some(
    ({ role, member }) => role === (itself ?? old) && member === fresh,
  );
  const given = [
    ...(await carryAttributes(session, { from: old, to: fresh, which, again })),
    ...(await carrySettings(session, { from: old, to: fresh, itself, again })),
  ];
  if (strategy === 'copy') await buildBridge(session, pair);
  else await joinGroup(session, pair);
  return holder === old ? given : [...given, ...(await carryHeld(session, 'cluster', old, holder, rolesOf(pair)))];
}

async function carryDatabase(session: Session, pair: RolePair): Promise<string[]> {
  const { strategy, old } = pair;
  const holder = holderOf(pair);
  if (holder === old) return [];
  const given = await carryHeld(session, 'database', old, holder, rolesOf(pair));
  if (strategy === 'copy') await bridgeFutureObjects(session, pair);
  // What the old log-in made in its own name, while both are members of the group: from now on it is the group's.
  else await runAll(session, [`REASSIGN OWNED BY ${id(old)} TO ${id(holder)}`]);
  return given;
}

/** Grants, memberships and what else a role is named in, without ownership. */
export async function carryHeld(
  session: Session,
  scope: 'cluster' | 'database',
  from: string,
  to: string,
  apart: readonly string[],
): Promise<string[]> {
  if (scope === 'cluster') {
    // Only who replaces a role takes in its members; a group has its own.
    const members = !(await readMemberships(session, [from])).some(
      ({ role, member }) => role === to && member === from,
    );
    return [
      ...(await carryMemberships(session, { from, to, members })),
      ...(await carryGrants(session, scope, { from, to, apart })),
    ];
  }
  return [
    ...(await carryGrants(session, scope, { from, to, apart })),
    ...(await carryDefaults(session, { from, to })),
    ...(await carryPolicies(session, { from, to })),
    ...(await carryMappings(session, { from, to })),
  ];
}

async function joinGroup(session: Session, pair: RolePair): Promise<void> {
  const { old, fresh } = pair;
  const group = holderOf(pair);
  const member = (await readMemberships(session, [group])).some(
    (has) => has.role === group && has.member === fresh && (has.set ?? true) && (has.inherit ?? true),
  );
  if (!member) {
    await runAll(session, [grantMembership(session, group, fresh, { admin: false, inherit: true, set: true })]);
  }
  // What it creates belongs to the group, also for whoever logs in next. An old role that works as yet another one has been followed in
  // that already, with its settings.
  const works = (await readSettings(session, [old, fresh])).some(
    ({ name, database }) => name === 'role' && database === null,
  );
  if (!works) await runAll(session, [setStatement({ role: fresh, database: null, name: 'role', value: group })]);
}
