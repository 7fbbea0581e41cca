/** Undo of staging, once rows may have been under the key: it is destroyed only when nothing needs it. */
import type pg from 'pg';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import type { Server } from '../../databases/server.js';
import { columnFacts } from '../../reencryption/column-facts.js';
import { closeOff } from '../../reencryption/fence.js';
import { byTable } from '../../reencryption/lost-rows.js';
import { findQuarantine, placeOf } from '../../reencryption/quarantine.js';
import { count } from '../../reencryption/recover.js';
import { prepareSession } from '../../reencryption/session.js';
import { openStore } from '../../stores/open-store.js';
import type { ActivityDeps } from '../deps.js';
import type { EncryptionHold } from '../encryption-activities.js';
import { discardSecret } from '../secrets.js';
import { inWords, remedyFor, tryElsewhere } from './elsewhere.js';
import { openTables } from './open-tables.js';
import { keysOf } from './keys.js';
import { countAll, countedIn } from './proofs.js';

/** Reading every row may take as long as re-encrypting them may. */
const LIMIT_MS = 24 * 3_600_000;

/** While every row is looked at and until the key is gone, nobody can write towards it any more. */
export async function discardKey(hold: EncryptionHold, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const { rotation } = await openStore(hold.slot.store, deps).describe(hold.slot);
  // An earlier attempt has destroyed it.
  if (rotation !== hold.rotation) return discardSecret(hold, deps);
  const { fresh } = await keysOf(hold, deps);
  const server = await openTables(hold.encryption, deps, signal);
  return server.asAdministrator(
    async (guard) => {
      await prepareSession(guard);
      await closeOff(guard, { rotation: hold.rotation, direction: 'to the new key' });
      const found = await countAll(hold, { fresh }, deps, signal);
      const under = countedIn(found, (counts) => counts.new, 'read under the new key');
      const { needed } = await tryElsewhere({ encryption: hold.encryption, server, key: fresh }, 'atTheEnd');
      const copied = needed.length > 0 ? [`it reads ${inWords(needed)}; ${remedyFor(needed)}`] : [];
      const needs = [...copied, ...(under === null ? [] : [under]), ...(await quarantined(hold, server, guard))];
      if (needs.length > 0) throw newKeyNeeded(needs.join('; '));
      // It ends with the connection, which was idle all the while.
      await guard.query('SELECT 1');
      return await discardSecret(hold, deps);
    },
    { limit: LIMIT_MS },
  );
}

/** Rows that a recovery has moved are found by the rotation's id, which is in the store for as long as its key is. */
async function quarantined(
  { encryption, rotation }: EncryptionHold,
  server: Server,
  guard: pg.Client,
): Promise<string[]> {
  const columns = [];
  for (const column of encryption.columns) columns.push({ facts: await columnFacts({ server, column }) });
  const said: string[] = [];
  for (const [first] of byTable(columns)) {
    const quarantine = first && (await findQuarantine(guard, first.facts, rotation));
    if (!quarantine) continue;
    const place = placeOf(quarantine);
    const rows = await server.asWorker((client) => count(client, place));
    said.push(`${rows} row(s) are in its quarantine ${place}`);
  }
  return said;
}

function newKeyNeeded(said: string): KeyturnError {
  return new KeyturnError('new-key-needed', said, {
    hint: 'the new key is kept in the store; find who still writes with it, then start a rotation of this key, or keyturn recover if that is what was under way: it goes on from here',
  });
}
