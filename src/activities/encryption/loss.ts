/**
 * Is the key really lost (document 004: "mathematically unrecoverable")? Every row is read under every key that the store and the
 * backups have. Moving rows that somebody could still read would be the second disaster.
 */
import { openReader } from '../../ciphers/open-cipher.js';
import { openDeployer } from '../../deployers/open-deployer.js';
import { KeyturnError } from '../../domain/errors.js';
import type { PlannedRecovery, RotationPlan } from '../../domain/plan.js';
import { formatRef } from '../../domain/refs.js';
import { columnFacts } from '../../reencryption/column-facts.js';
import { findLoss, type LossOfTable } from '../../reencryption/loss.js';
import type { ActivityDeps } from '../deps.js';
import { assessReadiness } from '../readiness.js';
import { thingsOf } from '../service-locks.js';
import type { LeftBehind } from '../rotation-activities.js';
import type { Loss } from '../recovery-activities.js';
import { openTables } from './open-tables.js';
import { inWords, lostIn, questionOf } from './loss-in-words.js';
import { keysBeside, keysInBackups, keysInStore, type FoundKey } from './key-search.js';

export async function checkRecovery(plan: RotationPlan, deps: ActivityDeps, signal: AbortSignal): Promise<Loss> {
  const { encryption, recovery, ref } = plan;
  if (!encryption || !recovery) throw new KeyturnError('no-runbook', `${formatRef(ref)} has no plan of a recovery`);
  // The services may well be unhealthy: that is why one recovers. And a backup of the key in use is not what is missing.
  const asked = { ...plan, encryption: null, services: [], verify: [], revocation: null };
  const { lines, leftBehind } = await assessReadiness(asked, deps, { signal, flows: false });
  const problems = lines.filter(({ state, question }) => state === 'problem' && question !== 'backup');
  const deployers = plan.services.map(({ name, deploy }) => ({ name, deployer: openDeployer(deploy, name) }));
  for (const { name, deployer } of deployers) {
    try {
      await deployer.preflight(signal);
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      problems.push({ question: `deployer of ${name}`, state: 'problem', answer: error.message });
    }
  }
  if (problems.length > 0) {
    const text = problems.map(({ question, answer }) => `${question}: ${answer}`).join('; ');
    throw new KeyturnError('not-ready', text, { hint: 'mend this, then start again' });
  }
  const server = await openTables(encryption, deps, signal);
  const own = await keysInStore(plan, encryption, leftBehind, deps);
  const { keys: others, notes } = await keysInBackups(plan, encryption, recovery, deps, signal);
  const beside = await keysBeside(plan, encryption, deps);
  const foreign = [...beside, ...others].filter(({ key }) => !own.some((one) => one.key.equals(key)));
  const columns = [];
  for (const column of encryption.columns) {
    const facts = await columnFacts({ server, column });
    const named = ({ name, key }: FoundKey) => ({ name, reader: openReader(column.format, key) });
    columns.push({ facts, readers: [...own, ...foreign].map(named) });
  }
  const rotation = leftBehind?.rotation ?? plan.requestId;
  const tables = await findLoss({ server, columns, rotation, label: recovery.label });
  demandLabels(tables, recovery.label);
  demandLost(plan, recovery, tables, { foreign, leftBehind });
  const stoppable = deployers.flatMap(({ name, deployer }) => (deployer.stopping === null ? [] : [name]));
  const said = tables.map(inWords).join('; ');
  const tried = [...own, ...foreign].map(({ name }) => name).join(', ');
  const summary = [`${said}; tried: ${tried}`, ...notes].join('; ');
  return {
    summary,
    facts: { lost: lostIn(tables), keys: own.length + foreign.length },
    leftBehind,
    tokenHeader: null,
    question: questionOf(plan, recovery, tables, [`Tried: ${tried}.`, ...notes.map((note) => `Not tried: ${note}.`)]),
    stoppable,
    things: await thingsOf(plan.services),
    // Asked without its services: they may stand still.
    deployedBy: null,
  };
}

function demandLabels(tables: readonly LossOfTable[], label: readonly string[]): void {
  const unknown = label.filter((name) => !tables.some((table) => table.label.includes(name)));
  if (unknown.length === 0) return;
  throw new KeyturnError(
    'unknown-column',
    `no table has a column ${unknown.join(', ')}, which should tell rows apart`,
    {
      hint: 'mend encryption.recovery.label in the inventory',
    },
  );
}

function demandLost(
  plan: RotationPlan,
  { unreadable }: PlannedRecovery,
  tables: readonly LossOfTable[],
  { foreign, leftBehind }: { foreign: readonly FoundKey[]; leftBehind: LeftBehind | null },
): void {
  const found = foreign.flatMap(({ name }) => {
    const reads = tables.flatMap(({ columns }) => columns.flatMap((column) => column.reads));
    const rows = reads.filter((one) => one.name === name).reduce((sum, one) => sum + one.rows, 0);
    return rows > 0 ? [`${name} reads ${rows} row(s)`] : [];
  });
  const ref = formatRef(plan.ref);
  if (found.length > 0) {
    const rest = lostIn(tables);
    const others = rest > 0 ? `, and ${rest} row(s) would be lost still` : '';
    throw new KeyturnError(
      'key-not-lost',
      `the key is not lost: ${found.join('; ')} that the keys in the store do not${others}`,
      {
        hint: 'make it the key in use (keyturn backup restore FILE takes one out of a backup); rows under it become readable once the application has it (see docs/runbooks/recover-lost-key.md, "The key is in a backup")',
      },
    );
  }
  const again = tables.flatMap(({ quarantine, readsAgain }) =>
    readsAgain.map((name) => `${name} reads rows of ${quarantine ?? ''}`),
  );
  if (unreadable === 'truncate' && again.length > 0) {
    throw new KeyturnError('key-not-lost', `the quarantine is not to be destroyed: ${again.join('; ')}`, {
      hint: 'say unreadable: quarantine in the inventory, recover once more, and enter those rows from it',
    });
  }
  if (lostIn(tables) > 0) return;
  // A terminated recovery has moved them already: this run goes on with its checklist. Or it has come to destroying them.
  const destroyed = unreadable === 'truncate' && leftBehind?.arrangement === 'new only';
  if (leftBehind && (destroyed || tables.some(({ quarantine }) => quarantine !== null))) return;
  throw new KeyturnError('nothing-lost', `nothing is lost: ${tables.map(inWords).join('; ')}`, {
    hint: `there is nothing to recover; a new key comes by keyturn rotate ${ref}`,
  });
}
