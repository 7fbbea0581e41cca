/** The end of a role: what it owns goes to an heir, what it was granted is taken back, and nothing is dropped but the role. */
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { preparedBy, refusePrepared } from '../access/sessions.js';
import type { Server } from '../server.js';
import { borrowing } from './borrowed.js';
import { carryHeld } from './carry-over.js';
import { refuseEventTriggers } from './event-triggers.js';
import { revokeForeignGrants } from './grants.js';
import { handBack } from './hand-back.js';
import { leaveRoles } from './memberships.js';
import { dependencies, firstOf, ownedHere, ownerChanges } from './ownership.js';
import { policyChanges } from './policies.js';
import { mayGoWith, stillHere } from './swept-along.js';
import { dependentDatabases, inEach, reachableDatabases } from './reach.js';
import { findRole, needRole } from './role-facts.js';
import { changeTables } from './table-by-table.js';
import type { Session } from './session.js';
import { id, inTransaction, runAll } from './session.js';

export interface Drop {
  readonly role: string;
  /** Gets what the role owns and what it was granted. */
  readonly heir: string;
  /**
   * An undo: the heir gets only what it lacks of what the role was granted meanwhile. Refuses a role whose comment is another: the undo of
   * a create must not meet somebody else's role.
   */
  readonly mark?: string;
}

/** Rounds over the databases: more than one only when somebody grants something to the role meanwhile. */
const ROUNDS = 3;

/**
 * Idempotent; a role that is gone is done. One transaction for each database. @throws KeyturnError `role-conflict`, `bootstrap-role`,
 * `unknown-role` (the heir), `database-closed`, `role-still-owns`, `role-in-use`, `table-in-use` and `prepared-transactions` (retryable), `role-still-needed`; `query-failed`,
 * retryable when a lock was not to be had; and as Server. `effect` is of the failed transaction; databases before it are done and stay so.
 */
export async function dropLogin(server: Server, drop: Drop): Promise<Evidence> {
  const { role, heir } = drop;
  const databases = new Set<string>();
  const kept = new Set<string>();
  for (let round = 1; round <= ROUNDS; round++) {
    const left = await inTransaction(server, { purpose: 'read' }, (session) => examine(session, drop));
    if (left !== null) refusePrepared(role, await preparedBy(server, role), 'none');
    else {
      const summary = databases.size === 0 ? `role ${role} is gone already` : `role ${role} dropped`;
      return { summary, facts: { role, dropped: true } };
    }
    for (const database of left) databases.add(database);
    const given = await inEach(server, left, async (database) => {
      await handOverTables(server, database, drop);
      return inTransaction(server, { database }, (session) => clear(server, session, drop));
    });
    for (const line of given.flat()) kept.add(line);
    const dropped = await inTransaction(server, {}, (session) => dropRole(session, drop, round === ROUNDS));
    if (dropped) {
      return {
        summary: `role ${role} dropped; what it owned belongs to ${heir} (${databases.size} database${databases.size === 1 ? '' : 's'})${keptInWords(drop, [...kept])}`,
        facts: { role, heir, databases: databases.size, dropped: true },
      };
    }
  }
  throw new KeyturnError('role-still-needed', `the role ${role} gets new rights while it is being dropped`, {
    retryable: true,
  });
}

function keptInWords({ heir, mark }: Drop, kept: readonly string[]): string {
  return mark === undefined || kept.length === 0 ? '' : `; granted to it meanwhile, now to ${heir}: ${firstOf(kept)}`;
}

/** Databases to clear: the one we are in at least, for what the cluster shares. null: the role is gone. */
async function examine(session: Session, { role, heir, mark }: Drop): Promise<string[] | null> {
  const present = await findRole(session, role);
  if (!present) return null;
  refuseOthers(present, mark);
  await needRole(session, heir);
  return [...new Set([session.database, ...(await reachableDatabases(session, [role]))])];
}

function refuseOthers(
  { name, oid, superuser, comment }: { name: string; oid: number; superuser: boolean; comment: string | null },
  mark: string | undefined,
): void {
  if (mark !== undefined && comment !== mark) {
    throw new KeyturnError('role-conflict', `the role ${name} is not of this rotation; it is left alone`);
  }
  if (oid === 10 || superuser) {
    throw new KeyturnError('bootstrap-role', `the role ${name} is a superuser; it is left alone`, {
      hint: 'rotate its password in place: strategy same-role',
    });
  }
}

/** What would lock tables below. That DROP OWNED takes the role out of a policy locks none: an undo must not wait for that. */
async function handOverTables(server: Server, database: string, { role, heir }: Drop): Promise<void> {
  const names = { from: role, to: heir };
  await changeTables(server, database, [role, heir], async (session) => [
    ...(await policyChanges(session, names)),
    ...(await ownerChanges(session, names)),
  ]);
}

/** @returns what the heir was given, in words. */
async function clear(server: Server, session: Session, { role, heir, mark }: Drop): Promise<string[]> {
  await refuseEventTriggers(session);
  return borrowing(session, [role, heir], async () => {
    const apart = [role, heir];
    const given =
      mark === undefined
        ? [
            ...(await carryHeld(session, 'cluster', role, heir, apart)),
            ...(await carryHeld(session, 'database', role, heir, apart)),
          ]
        : await handBack(session, { role, heir });
    await runAll(session, [`REASSIGN OWNED BY ${id(role)} TO ${id(heir)}`]);
    await leaveRoles(session, role);
    await revokeForeignGrants(session, 'database', role);
    await revokeForeignGrants(session, 'cluster', role);
    // Before the last step, in the same transaction: DROP OWNED drops whatever is still owned.
    const owned = await ownedHere(session, role);
    if (owned.length > 0) {
      throw new KeyturnError('role-still-owns', `the role ${role} ${firstOf(owned)}; nothing was dropped`, {
        hint: `give it to ${heir} by hand: ALTER … OWNER TO`,
      });
    }
    await runAll(session, [`DROP OWNED BY ${id(role)}`]);
    // Something may have been committed between that look and this statement. Another transaction still sees all that is committed,
    // later than DROP OWNED looked: what it sees and we do not, has just been dropped, and comes back as we give up.
    const { database } = session;
    const seen = await inTransaction(server, { database, purpose: 'read' }, (other) => mayGoWith(other, role));
    if (!(await stillHere(session, seen))) {
      throw new KeyturnError('role-in-use', `something was made in the name of ${role} just now; nothing was dropped`, {
        retryable: true,
      });
    }
    const left = await dependencies(session, role, 'here');
    if (left.length > 0) throw stillNeeded(role, left);
    return given;
  });
}

async function dropRole(session: Session, { role, mark }: Drop, last: boolean): Promise<boolean> {
  const present = await findRole(session, role);
  if (!present) return true;
  refuseOthers(present, mark);
  if ((await dependentDatabases(session, [role])).length > 0) {
    if (last) throw stillNeeded(role, await dependencies(session, role, 'everywhere'));
    return false;
  }
  await runAll(session, [`DROP ROLE ${id(role)}`]);
  return true;
}

function stillNeeded(role: string, left: readonly string[]): KeyturnError {
  return new KeyturnError('role-still-needed', `the role ${role} cannot be dropped: it ${firstOf(left)}`, {
    hint: 'take that away by hand, as the role that granted it, and try again',
  });
}

/**
 * Strategy `group`, the first time: the old log-in becomes the group. It stays, with everything it owns, and can never log in again: no
 * password is left. Idempotent. @throws KeyturnError `unknown-role`, `bootstrap-role`, and as Server.
 */
export async function retireGroupLogin(server: Server, role: string): Promise<Evidence> {
  await inTransaction(server, {}, async (session) => {
    const present = await needRole(session, role);
    refuseOthers(present, undefined);
    await runAll(session, [`ALTER ROLE ${id(role)} NOLOGIN PASSWORD NULL`]);
  });
  return {
    summary: `${role} may not log in any more and has no password; it stays as the group that holds the rights`,
    facts: { role, canLogin: false },
  };
}
