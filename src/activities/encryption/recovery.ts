/** Rows kept, rows moved, rows entered again: the recovery's effects on the database. Both keys come from the store. */
import { createHash } from 'node:crypto';
import { openReader, openReencryptor } from '../../ciphers/open-cipher.js';
import { milliseconds } from '../../domain/durations.js';
import type { Evidence } from '../../domain/evidence.js';
import { describeCounts } from '../../domain/row-counts.js';
import { columnFacts } from '../../reencryption/column-facts.js';
import { destroyQuarantines } from '../../reencryption/destroy-quarantine.js';
import { findReentries as look } from '../../reencryption/reentries.js';
import { recover, undoRecovery as takeBack, type RecoveredColumn } from '../../reencryption/recover.js';
import type { Server } from '../../databases/server.js';
import { NotYet, type ActivityTools } from '../as-activity.js';
import type { ActivityDeps } from '../deps.js';
import type { Direction } from '../encryption-activities.js';
import type { RecoveryHold, Reentered } from '../recovery-activities.js';
import { openTables } from './open-tables.js';
import { openFenced } from './fenced.js';
import { keysInDirection, keysOf, type Keys } from './keys.js';

export async function recoverRows(
  hold: RecoveryHold,
  deps: ActivityDeps,
  { signal, save }: Pick<ActivityTools, 'signal' | 'save'>,
): Promise<Evidence> {
  const server = await openFenced({ ...hold, direction: 'to the new key' }, deps, { signal, alone: true });
  const columns = await columnsOf(hold, server, await keysOf(hold, deps), 'to the new key');
  const { rotation, recovery } = hold;
  const tables = await recover({
    server,
    columns,
    rotation,
    label: recovery.label,
    onProgress: ({ column, counts }) => {
      save({ progress: `${column}: ${describeCounts(counts)}; not committed yet` });
    },
  });
  const lines = tables.map(({ columns: done, quarantine, quarantined }) => {
    const counts = done.map(({ name, counts: of }) => `${name}: ${describeCounts(of)}`).join('; ');
    return `${counts}; ${quarantine === null ? 'nothing was moved' : `${quarantined} row(s) in ${quarantine}`}`;
  });
  const { missing } = await findReentries(hold, deps, signal);
  const quarantined = tables.reduce((sum, table) => sum + table.quarantined, 0);
  const places = tables.flatMap(({ quarantine }) => (quarantine === null ? [] : [quarantine]));
  return {
    summary: `${lines.join('; ')}; committed together`,
    facts: { quarantined, quarantine: places.join(', ') || null, identities: missing.join('; ') || null },
  };
}

export async function undoRecovery(
  hold: RecoveryHold,
  deps: ActivityDeps,
  { signal }: Pick<ActivityTools, 'signal'>,
): Promise<Evidence> {
  const server = await openFenced({ ...hold, direction: 'back to the old key' }, deps, { signal, alone: true });
  const columns = await columnsOf(hold, server, await keysOf(hold, deps), 'back to the old key');
  const { reencrypted, back } = await takeBack({ server, columns, rotation: hold.rotation });
  return { summary: `${reencrypted} row(s) under the old key again, ${back} taken back out of the quarantine` };
}

export async function findReentries(hold: RecoveryHold, deps: ActivityDeps, signal: AbortSignal): Promise<Reentered> {
  const { rotation, recovery } = hold;
  const server = await openTables(hold.encryption, deps, signal);
  const columns = await columnsOf(hold, server, await keysOf(hold, deps), 'to the new key');
  const tables = await look({ server, columns, rotation, label: recovery.label });
  const sum = (of: 'quarantined' | 'entered'): number => tables.reduce((total, table) => total + table[of], 0);
  const [quarantined, entered] = [sum('quarantined'), sum('entered')];
  const missing = tables.flatMap((table) => table.missing.map((row) => `${table.table}: ${row}`));
  const there = tables.flatMap((table) => table.there.map((row) => `${table.table}: ${row}`));
  const unlisted = quarantined - missing.length - there.length;
  const lines = [
    ...missing.map((row) => `☐ ${row}`),
    ...there.map((row) => `☑ ${row}`),
    ...(unlisted > 0 ? [`and ${unlisted} more, in the quarantine`] : []),
  ];
  return {
    summary: `${entered} of ${quarantined} entered again`,
    facts: { quarantined, entered },
    quarantined,
    entered,
    lines,
    missing,
    places: tables.flatMap(({ quarantine }) => (quarantine === null ? [] : [quarantine])),
    lists: tables.flatMap((table) =>
      recovery.unreadable === 'truncate' && table.quarantined - table.entered > table.missing.length
        ? [table.names]
        : [],
    ),
    key: createHash('sha256')
      .update(JSON.stringify([quarantined, entered, lines]))
      .digest('hex')
      .slice(0, 32),
  };
}

/** A look reads whole tables: it may not take more than a tenth of the time. */
const SHARE = 10;

export async function awaitReentries(
  { known, quiet, ...hold }: RecoveryHold & { known: string; quiet: number },
  deps: ActivityDeps,
  { signal, sinceFirstAttempt }: Pick<ActivityTools, 'signal' | 'sinceFirstAttempt'>,
): Promise<Reentered> {
  const started = performance.now();
  const found = await findReentries(hold, deps, signal);
  const complete = found.entered === found.quarantined;
  if (found.key !== known && (complete || sinceFirstAttempt >= quiet)) return found;
  const took = performance.now() - started;
  throw new NotYet(found.summary, Math.round(Math.max(milliseconds(hold.recovery.watchEvery), SHARE * took)));
}

export async function destroyQuarantine(
  { quarantined, places, lists, ...hold }: RecoveryHold & Pick<Reentered, 'quarantined' | 'places' | 'lists'>,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<Evidence> {
  const { rotation, recovery, encryption } = hold;
  const server = await openTables(encryption, deps, signal);
  const columns = [];
  for (const column of encryption.columns) columns.push({ facts: await columnFacts({ server, column }) });
  const found = await destroyQuarantines({ server, columns, rotation, label: recovery.label, lists });
  const destroyed = found.length > 0 ? found.reduce((sum, { rows }) => sum + rows, 0) : quarantined;
  const named = lists.length > 0 ? `; named in ${lists.join(', ')}` : '';
  return {
    summary:
      places.length > 0
        ? `${destroyed} row(s) destroyed with ${places.join(', ')}${named}`
        : 'nothing was in quarantine',
    facts: { destroyed },
  };
}

async function columnsOf(
  { encryption }: RecoveryHold,
  server: Server,
  keys: Keys,
  direction: Direction,
): Promise<RecoveredColumn[]> {
  const pair = keysInDirection(keys, direction);
  const columns: RecoveredColumn[] = [];
  for (const column of encryption.columns) {
    const facts = await columnFacts({ server, column });
    columns.push({
      facts,
      reencryptor: openReencryptor(column.format, pair),
      reader: openReader(column.format, pair.to),
    });
  }
  return columns;
}
