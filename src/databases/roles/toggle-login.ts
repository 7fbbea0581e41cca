/** The reversible step: no new sessions for a role. Sessions that are open stay open. */
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import type { Server } from '../server.js';
import { findRole, needRole } from './role-facts.js';
import { id, inTransaction, runAll } from './session.js';

/** Idempotent. @throws KeyturnError `unknown-role`, `login-not-changed`, and as Server. */
export const forbidLogin = (server: Server, role: string): Promise<Evidence> => toggle(server, role, false);

/** Idempotent. @throws KeyturnError as forbidLogin. */
export const permitLogin = (server: Server, role: string): Promise<Evidence> => toggle(server, role, true);

async function toggle(server: Server, role: string, allowed: boolean): Promise<Evidence> {
  const before = await inTransaction(server, {}, async (session) => {
    const { canLogin } = await needRole(session, role);
    // Alone in its transaction: whatever else fails, this is known to hold or not.
    if (canLogin !== allowed) await runAll(session, [`ALTER ROLE ${id(role)} ${allowed ? 'LOGIN' : 'NOLOGIN'}`]);
    return canLogin;
  });
  const after = await inTransaction(server, { purpose: 'read' }, (session) => findRole(session, role));
  if (after?.canLogin !== allowed) {
    throw new KeyturnError('login-not-changed', `the role ${role} ${allowed ? 'still may not' : 'still may'} log in`, {
      effect: 'unknown',
      hint: 'somebody else changes this role at the same time',
    });
  }
  const already = before === allowed ? ' (it was so already)' : '';
  return { summary: `${role} ${allowed ? 'may' : 'may not'} log in${already}`, facts: { role, canLogin: allowed } };
}
