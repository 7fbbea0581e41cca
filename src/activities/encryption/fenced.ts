/** The database server, for one hold on an encryption key: whose writes count, and whose come too late. */
import type { Server } from '../../databases/server.js';
import { enter, turnOut } from '../../reencryption/fence.js';
import type { ActivityDeps } from '../deps.js';
import type { Direction, EncryptionHold } from '../encryption-activities.js';
import { openServer } from '../swap/open-swap.js';
import { demandStaged } from './keys.js';

/**
 * Towards the new key every connection is inside the rotation's fence, and looks once it is there whether the key is still staged;
 * on the way back whoever still writes towards the new key is turned out first.
 * @param alone nobody else works towards the new key in this rotation: an attempt before this one may hold the tables still.
 * @throws KeyturnError `attempt-at-work`, `nothing-staged`, and as Server.
 */
export async function openFenced(
  hold: EncryptionHold & { direction: Direction },
  deps: ActivityDeps,
  { signal, alone }: { signal: AbortSignal; alone: boolean },
): Promise<Server> {
  const { encryption, rotation, direction } = hold;
  const outside = await openServer(encryption, deps, signal);
  const back = direction === 'back to the old key';
  if (alone || back) await outside.asAdministrator((client) => turnOut(client, rotation));
  if (back) return outside;
  return await openServer(encryption, deps, signal, async (client) => {
    await enter(client, rotation);
    await demandStaged(hold, deps);
  });
}
