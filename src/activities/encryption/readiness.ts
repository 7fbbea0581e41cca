/** What can be known about the rotation of an encryption key before it changes anything: columns, rows by state, how long it takes. */
import { deriveKey } from '../../ciphers/key-material.js';
import { openReader } from '../../ciphers/open-cipher.js';
import { openDeployer } from '../../deployers/open-deployer.js';
import { formatMilliseconds, milliseconds } from '../../domain/durations.js';
import { nameOfColumn } from '../../runbooks/encryption/steps.js';
import { KeyturnError } from '../../domain/errors.js';
import type { PlannedEncryption, RotationPlan } from '../../domain/plan.js';
import { census, type Census } from '../../reencryption/census.js';
import { blindIndexes } from '../../reencryption/blind-index.js';
import { demandChildren } from '../../reencryption/children.js';
import { columnFacts, type ColumnFacts } from '../../reencryption/column-facts.js';
import { countOutside } from '../../reencryption/row-filter.js';
import { survey } from '../../reencryption/survey.js';
import { demandLockable } from '../../reencryption/table-locks.js';
import { demandWritable } from '../../databases/access/demand-writable.js';
import type { Server } from '../../databases/server.js';
import { openStore } from '../../stores/open-store.js';
import type { ActivityDeps } from '../deps.js';
import type { LeftBehind } from '../rotation-activities.js';
import { openTables } from './open-tables.js';
import { judgeDurability } from './durability.js';
import { judgeBeforehand, tryElsewhere } from './elsewhere.js';
import { judgeOtherKeys } from './other-keys.js';
import type { Ask } from '../swap/readiness.js';

/** Milliseconds for counting all columns: a person waits for `keyturn plan`. Larger tables are sampled, and it is said. */
const BUDGET_MS = 30_000;
const NAMED = 10;

interface Context {
  readonly deps: ActivityDeps;
  readonly signal: AbortSignal;
  readonly ask: Ask;
  readonly leftBehind: LeftBehind | null;
}

interface Keys {
  readonly old: Buffer;
  /** Of an earlier run that this one goes on from. */
  readonly fresh: Buffer | null;
}

export async function askAboutEncryption(
  plan: RotationPlan,
  encryption: PlannedEncryption,
  { deps, signal, ask, leftBehind }: Context,
): Promise<void> {
  const found: { server: Server | null; keys: Keys | null } = { server: null, keys: null };
  await ask('database server', async () => {
    const server = await openTables(encryption, deps, signal);
    await server.asAdministrator(demandWritable);
    await server.asWorker(demandWritable);
    found.server = server;
    return "lets the administrator in, and a login with the rights of the tables' owner";
  });
  await ask('key in use', async () => {
    found.keys = await keysInStore(plan, encryption, leftBehind, deps);
    return 'is what the inventory says, 32 bytes';
  });
  await ask('place of the new key', () => judgeDurability(plan.slot.store, encryption));
  if (encryption.mode === 'atomic') await ask('stopping the services', () => Promise.resolve(stopping(plan)));
  const { server, keys } = found;
  if (!server || !keys) return;
  let estimate = 0;
  const columns: ColumnFacts[] = [];
  for (const column of encryption.columns) {
    await ask(`rows of ${nameOfColumn(column)}`, async () => {
      const facts = await columnFacts({ server, column });
      columns.push(facts);
      if (encryption.mode === 'atomic') await server.asWorker((client) => demandLockable(client, facts));
      const readers = {
        old: openReader(column.format, keys.old),
        new: keys.fresh && openReader(column.format, keys.fresh),
      };
      const counted = await census({ server, facts, readers, budget: BUDGET_MS / encryption.columns.length });
      estimate += counted.estimate;
      const limit = BUDGET_MS / encryption.columns.length;
      const outside = await server.asWorker((client) => countOutside(client, facts, limit));
      return judge(counted, encryption, facts, outside);
    });
  }
  await ask('time', () => Promise.resolve(judgeTime(estimate, plan, encryption)));
  if (columns.length === encryption.columns.length) {
    await ask('tables that inherit', () => {
      demandChildren(columns);
      return Promise.resolve('none, or each is declared');
    });
    await ask('other keys', () => judgeOtherKeys(plan, { encryption, server, columns, deps }));
    await ask('blind indexes', async () => {
      const found = await server.asWorker((client) => blindIndexes(client, columns));
      return found.length > 0 ? { warning: found.join('; ') } : 'none is seen';
    });
    await ask('the key elsewhere', async () =>
      judgeBeforehand(await tryElsewhere({ encryption, server, key: keys.old }, 'beforehand')),
    );
  }
  await ask('columns that nobody declared', async () => {
    const strange = await survey({ server, declared: encryption.columns });
    if (strange.length === 0) return 'none looks encrypted';
    return {
      warning: `${strange.join('; ')}: if they are under this key, declare them, or they cannot be read after it`,
    };
  });
}

async function keysInStore(
  { slot }: RotationPlan,
  { key }: PlannedEncryption,
  left: LeftBehind | null,
  deps: ActivityDeps,
): Promise<Keys> {
  const store = openStore(slot.store, deps);
  const switched = left?.arrangement.startsWith('new') ?? false;
  const old = deriveKey(key, await store.read(slot, switched ? 'previous' : 'current'));
  if (!left) return { old, fresh: null };
  return { old, fresh: deriveKey(key, await store.read(slot, switched ? 'current' : 'pending')) };
}

function stopping({ services }: RotationPlan): string {
  const deployers = services.map(({ name, deploy }) => ({ name, deployer: openDeployer(deploy, name) }));
  const silent = deployers.filter(({ deployer }) => deployer.stopping === null).map(({ name }) => name);
  if (silent.length === 0) return deployers.map(({ deployer }) => deployer.stopping).join('; ');
  throw new KeyturnError('cannot-stop', `nothing says how ${silent.join(', ')} is stopped`, {
    hint: 'give its deploy a command: stop: [program, argument, …]; or let the application take two keys, with mode: online',
  });
}

function judge(
  { exact, counts, seen, unreadable }: Census,
  { mode }: PlannedEncryption,
  { warnings, condition }: ColumnFacts,
  outside: number | null,
): string | { warning: string } {
  const { rows, old, empty } = counts;
  const states = [
    `${old} under the key in use`,
    `${counts.new} under the staged one`,
    `${empty} empty`,
    `${counts.unreadable} unreadable`,
  ];
  const [, fresh = ''] = states;
  const said = `${rows} rows: ${states.filter((line) => line !== fresh || counts.new > 0).join(', ')}${exact ? '' : ` (estimated from ${seen})`}${
    condition === null ? '' : `; ${outside ?? 'uncounted'} more outside of "where", on which the key is tried too`
  }`;
  if (counts.unreadable > 0 && old + counts.new === 0) {
    throw new KeyturnError('wrong-key', `${said}: the key in the store reads nothing here`, {
      hint: 'see whether table, column and format are the right ones; if the key itself is lost: keyturn recover',
    });
  }
  if (counts.unreadable > 0) {
    const which = `${unreadable.slice(0, NAMED).join('; ')}${unreadable.length > NAMED ? '; …' : ''}`;
    if (mode === 'online') return { warning: `${said}: ${which}; people are asked about them before the old key goes` };
    throw new KeyturnError('unreadable-rows', `${said}: ${which}`, {
      hint: 'one transaction takes all rows or none: enter these anew or remove them first',
    });
  }
  if (warnings.length > 0) return { warning: `${said}; ${warnings.join('; ')}` };
  return rows === empty ? { warning: `${said}: nothing to re-encrypt` } : said;
}

function judgeTime(
  estimate: number,
  { window }: RotationPlan,
  { mode }: PlannedEncryption,
): string | { warning: string } {
  const about = `about ${formatMilliseconds(Math.max(1_000, estimate))} to re-encrypt`;
  if (mode === 'atomic' && window && estimate * 2 > milliseconds(window.stays))
    return { warning: `${about}, and as long again if it is undone: the window stays open for ${window.stays} only` };
  return about;
}
