/** The way back to the old role: that it is let in before the services are shown its credential again. */
import { setPassword } from '../../databases/access/password.js';
import { proveLogin } from '../../databases/access/prove-login.js';
import { isRefusal } from '../../databases/access/replay.js';
import { actingGroup, loginState } from '../../databases/roles/acting-group.js';
import { permitLogin } from '../../databases/roles/toggle-login.js';
import type { Login, Server } from '../../databases/server.js';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import type { ActivityDeps } from '../deps.js';
import type { SwapHold } from '../swap-activities.js';
import { passwordFor } from './credential.js';
import { loginsOf, openServer } from './open-swap.js';

/**
 * A run that was terminated, and is gone on from, may have shut the old role out, or taken its password: a group keeps none. What
 * can be brought back is; idempotent. @throws KeyturnError `old-role-gone`, before anything is put back: there is no way back then.
 */
export async function restoreOldRole(hold: SwapHold, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const server = await openServer(hold.swap, deps, signal);
  const { old } = await loginsOf(hold, deps);
  const state = await loginState(server, old.user);
  if (state === 'gone') {
    throw new KeyturnError('old-role-gone', `the old role ${old.user} is dropped: there is no way back to it`, {
      hint: 'nothing was put back, the services stay on the new role; start again to finish what is left',
    });
  }
  if (state === 'shut out') await permitLogin(server, old.user);
  if (await letsIn(server, old)) return { summary: `${old.user} is let in` };
  await setPassword(server, old.user, passwordFor(server, old, hold.rotation));
  const expectRole = await actingGroup(server, { old: old.user, fresh: old.user });
  const proof = await proveLogin(server, old, { probe: null, expectRole });
  return { summary: `${old.user} has its password again; ${proof.summary}` };
}

/** On the primary. @throws KeyturnError as Server, except for a refusal. */
export async function letsIn(server: Server, login: Login): Promise<boolean> {
  try {
    await server.as(login, (client) => client.query('SELECT 1'));
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}
