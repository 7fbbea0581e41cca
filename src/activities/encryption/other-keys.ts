/**
 * Keys that the application accepts besides the one in use, in a second variable or further on in a list. This rotation's two keys take
 * their place, so no row may need them.
 */
import { deriveKey } from '../../ciphers/key-material.js';
import { openReader } from '../../ciphers/open-cipher.js';
import type { Server } from '../../databases/server.js';
import { KeyturnError } from '../../domain/errors.js';
import type { PlannedEncryption, RotationPlan } from '../../domain/plan.js';
import { census } from '../../reencryption/census.js';
import type { ColumnFacts } from '../../reencryption/column-facts.js';
import { openStore } from '../../stores/open-store.js';
import type { ActivityDeps } from '../deps.js';
import { inWords, tryElsewhere } from './elsewhere.js';

/** Milliseconds for all columns, each key. */
const BUDGET_MS = 30_000;

export interface OtherKeysOptions {
  readonly encryption: PlannedEncryption;
  readonly server: Server;
  readonly columns: readonly ColumnFacts[];
  readonly deps: ActivityDeps;
}

/** @throws KeyturnError `other-key-needed` with the number of rows; and as Server. */
export async function judgeOtherKeys(
  { slot }: RotationPlan,
  { encryption, server, columns, deps }: OtherKeysOptions,
): Promise<string | { warning: string }> {
  const others = await openStore(slot.store, deps).readOthers(slot);
  if (others.length === 0) return 'none';
  const { exposure } = slot;
  const place = exposure.style === 'previous' ? exposure.variable : `${slot.key} (behind the first)`;
  const needed: string[] = [];
  const unknown: string[] = [];
  for (const other of others) {
    let key: Buffer;
    try {
      key = deriveKey(encryption.key, other);
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      unknown.push('what is no key of this form');
      continue;
    }
    for (const facts of columns) {
      const readers = { old: openReader(facts.format, key), new: null };
      const { counts, exact, name } = await census({ server, facts, readers, budget: BUDGET_MS / columns.length });
      if (counts.old > 0) needed.push(`${exact ? '' : 'about '}${counts.old} row(s) of ${name}`);
      else if (!exact) unknown.push(`a key that was tried on a part of ${name} only`);
    }
    const elsewhere = await tryElsewhere({ encryption, server, key }, 'beforehand');
    if (elsewhere.needed.length > 0) needed.push(inWords(elsewhere.needed));
  }
  if (needed.length > 0) {
    throw new KeyturnError('other-key-needed', `${place} holds another key, which reads ${needed.join(', ')}`, {
      hint: `this rotation would take that key away: bring them to the key in use first (the application does, when it saves them anew), then take the other key out of ${place}`,
    });
  }
  if (unknown.length > 0) {
    throw new KeyturnError(
      'other-key-needed',
      `${place} holds ${[...new Set(unknown)].join(', ')}, and Keyturn did not put it there`,
      {
        hint: 'this rotation would take it away: see what it is for, and take it out when nothing needs it',
      },
    );
  }
  return { warning: `${place} holds another key, under which nothing is: it is taken away` };
}
