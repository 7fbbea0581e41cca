/** The group that a log-in works as, under strategy `group`: asked of the server, since only the first swap makes a role a group. */
import type { Server } from '../server.js';
import { actingRole } from './read-rights.js';
import { findRole } from './role-facts.js';
import { inTransaction } from './session.js';

/**
 * Of the new role where it exists, so that the answer stays the same after the old one is gone; of the old role before that, and while
 * the new one works as itself: it was created, and an interruption came before it was put into the group.
 * @returns null when the old role works as itself: it becomes the group. @throws KeyturnError as Server.
 */
export async function actingGroup(
  server: Server,
  { old, fresh }: { old: string; fresh: string },
): Promise<string | null> {
  return inTransaction(server, { purpose: 'read' }, async (session) => {
    for (const login of [fresh, old]) {
      if (!(await findRole(session, login))) continue;
      const acting = await actingRole(session, login);
      if (acting !== login) return acting === old ? null : acting;
    }
    return null;
  });
}

/** Whether there is such a role, and whether it may log in. @throws KeyturnError as Server. */
export async function loginState(server: Server, role: string): Promise<'usable' | 'shut out' | 'gone'> {
  return inTransaction(server, { purpose: 'read' }, async (session) => {
    const { rows } = await session.client.query<{ login: boolean }>(
      'SELECT rolcanlogin AS login FROM pg_roles WHERE rolname = $1',
      [role],
    );
    const [row] = rows;
    return row ? (row.login ? 'usable' : 'shut out') : 'gone';
  });
}
