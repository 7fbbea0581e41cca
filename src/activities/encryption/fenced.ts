/** The database server, for one hold on an encryption key: whose writes count, and whose come too late. */
import type { Server } from '../../databases/server.js';
import { enter, turnOut } from '../../reencryption/fence.js';
import type { ActivityDeps } from '../deps.js';
import type { Direction, EncryptionHold } from '../encryption-activities.js';
import { openTables } from './open-tables.js';
import { demandStaged } from './keys.js';

const OTHER = { 'to the new key': 'back to the old key', 'back to the old key': 'to the new key' } as const;

/**
 * Every connection is inside the fence of its direction, and looks once it is there whether the key is still staged; whoever still
 * writes in the other direction is turned out first: an attempt of the way back too, that slept until the next run went forward.
 * @param alone nobody else works in this direction in this rotation: an attempt before this one may hold the tables still.
 * @throws KeyturnError `attempt-at-work`, `nothing-staged`, and as Server.
 */
export async function openFenced(
  hold: EncryptionHold & { direction: Direction },
  deps: ActivityDeps,
  { signal, alone }: { signal: AbortSignal; alone: boolean },
): Promise<Server> {
  const { encryption, rotation, direction } = hold;
  const fence = { rotation, direction };
  const outside = await openTables(encryption, deps, signal);
  await outside.asAdministrator(async (client) => {
    await turnOut(client, { rotation, direction: OTHER[direction] });
    if (alone) await turnOut(client, fence);
  });
  return await openTables(encryption, deps, signal, {
    admit: async (client) => {
      await enter(client, fence);
      await demandStaged(hold, deps);
    },
  });
}
