/** The new log-in of a swap. */
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { isSendable, passwordClause, sentAs, type SentPassword } from '../access/sent-password.js';
import type { Server } from '../server.js';
import { carryOver } from './carry-over.js';
import type { RolePair } from './pair.js';
import { findRole, needRole } from './role-facts.js';
import { id, inTransaction, literal, runAll } from './session.js';

export interface NewLogin extends RolePair {
  /** From sentPassword. */
  readonly verifier: SentPassword;
  /** `keyturn rotation ID`: the role's comment, by which a later call knows that the role is its own. */
  readonly mark: string;
}

/**
 * Creates the role and gives it what the old one has. Idempotent: a role that carries the mark is brought to the same end.
 * @throws KeyturnError `role-conflict` when a role of that name is not this rotation's; and as carryOver.
 */
export async function createLogin(server: Server, login: NewLogin): Promise<Evidence> {
  const { fresh, old, verifier, mark, strategy } = login;
  if (!isSendable(verifier)) {
    throw new KeyturnError('bad-verifier', `what was to be the password of ${fresh} is not a SCRAM-SHA-256 verifier`);
  }
  const created = await inTransaction(server, {}, async (session) => {
    await needRole(session, old);
    const present = await findRole(session, fresh);
    if (present && present.comment !== mark) {
      throw new KeyturnError('role-conflict', `the role ${fresh} exists and is not of this rotation`, {
        hint: 'choose another role prefix, or drop that role if nobody needs it',
      });
    }
    const { first, clause } = passwordClause(session.client, verifier);
    if (present) {
      // The same verifier as before: a pooler may compare it byte for byte.
      await runAll(session, [...first, `ALTER ROLE ${id(fresh)} LOGIN ${clause}`]);
      return false;
    }
    await runAll(session, [
      ...first,
      `CREATE ROLE ${id(fresh)} LOGIN ${clause}`,
      `COMMENT ON ROLE ${id(fresh)} IS ${literal(mark)}`,
    ]);
    return true;
  });
  const { given } = await carryOver(server, login);
  const how = strategy === 'copy' ? `a copy of ${old}` : `a member of ${login.group ?? old}`;
  return {
    summary: `role ${fresh} ${created ? 'created' : 'was there already, from this rotation'} as ${how}; ${given.length} rights, settings and limits carried over${typeof verifier === 'string' ? '' : `; its password was ${sentAs(verifier)}`}`,
    facts: { role: fresh, created, given: given.length },
  };
}
