/**
 * `keyturn discard`: destroys what a run that is over left beside a secret's place, where no run can settle it, and leaves the place as
 * it is. What nothing has ever used goes for the asking; else it is a person's word, given with `--yes` and recorded.
 */
import { randomBytes } from 'node:crypto';
import { KeyturnError } from '../domain/errors.js';
import { parseDecision } from '../domain/messages.js';
import type { RotationPlan } from '../domain/plan.js';
import { placeInWords } from '../domain/place.js';
import { formatRef, rotationWorkflowId } from '../domain/refs.js';
import { cameTo, type Versions } from '../domain/slot.js';
import { findHolder, namespaceOf } from '../holder.js';
import type { Ledger } from '../ledger/ledger.js';
import { createFingerprinter } from '../stores/fingerprint.js';
import { openStore } from '../stores/open-store.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { invocation, quoteArgument } from './invocation.js';
import { openInventory } from './open-inventory.js';
import { selectorArgument } from './selectors.js';
import { readSettings } from './settings.js';
import type { TemporalClient } from './temporal.js';
import { typedInput } from './typed-input.js';
import { withLedger } from './with-ledger.js';
import { withTemporal } from './with-temporal.js';

export interface DiscardOptions {
  readonly as: string;
  readonly note?: string;
  readonly yes?: boolean;
}

/** @throws KeyturnError `nothing-staged`, `run-under-way`, `in-use` (a run settles it), `not-known` (without `--yes`), `no-runbook`. */
export async function discard(
  context: Context,
  refText: string,
  { as, note, yes = false }: DiscardOptions,
): Promise<ExitCode> {
  const { by, note: said = '' } = typedInput(
    () => parseDecision({ by: as, ...(note === undefined ? {} : { note }) }),
    `discard ${refText} --as ben@example.test`,
  );
  const settings = await readSettings(context);
  const inventory = await openInventory(settings);
  const [ref, ...others] = inventory.expand(selectorArgument(refText));
  if (!ref || others.length > 0)
    throw new KeyturnError('bad-reference', `${refText} means several secrets: what is discarded is named alone`, {
      hint: 'write SYSTEM/ENV/SECRET',
    });
  const plan = inventory.plan(ref, { operator: by, reason: 'routine' });
  const name = formatRef(ref);
  // Fingerprints are not shown here: any key will do.
  const store = openStore(plan.slot.store, { fingerprint: createFingerprinter(randomBytes(32).toString('hex')) });
  return await withTemporal(context, async ({ temporal }) => {
    const versions = await store.describe(plan.slot);
    const { rotation } = versions;
    if (rotation === null) throw new KeyturnError('nothing-staged', `no run has left anything beside ${name}`);
    if (plan.kind === 'encryption')
      throw new KeyturnError('no-runbook', `${name} is an encryption key: rows may be under either of the two`, {
        hint: `the next run counts the rows first: ${invocation()} rotate ${name} --operator YOUR-NAME; where somebody has changed its place by hand since, put back what stood there before`,
      });
    const doubts = await doubtsAbout(plan, versions, temporal);
    if (doubts.length > 0 && !yes)
      throw new KeyturnError('not-known', `what run ${rotation} left may be in use: ${doubts.join('; ')}`, {
        hint: `with --yes you take it on yourself, and it is recorded so: both values of that run are destroyed, and ${placeInWords(plan.slot)} stays as it is: ${invocation()} discard ${name} --as ${quoteArgument(by)} --yes`,
      });
    return await withLedger(context, async (ledger) => {
      // Before anything is destroyed: what is gone must be on record.
      await ledger.inspect();
      const startedAt = new Date().toISOString();
      await store.giveUp(plan.slot, rotation);
      const how = doubts.length > 0 ? `on ${by}'s word, though ${doubts.join('; ')}` : 'nothing had been shown it';
      const notes = `what run ${rotation} had left beside the place was destroyed, the place left as it was (${how})`;
      await record(ledger, plan, { rotation, by, startedAt, notes: [notes, said].filter(Boolean).join('; ') });
      context.console.document({ ref: name, rotation, by, doubts });
      if (!context.console.json) context.console.say(`${name}: ${notes}; recorded`);
      return EXIT.done;
    });
  });
}

/** Why it is not known that nothing uses it; none: nothing does. */
async function doubtsAbout(
  { ref, slot, kind }: RotationPlan,
  { record: known, arrangement }: Versions,
  { client }: TemporalClient,
): Promise<string[]> {
  const name = formatRef(ref);
  const underWay = async (workflowId: string): Promise<void> => {
    if ((await findHolder(client, workflowId)) === null) return;
    throw new KeyturnError('run-under-way', `${workflowId} is under way: what it has staged is its own`, {
      hint: `wait for its end, or cancel it: ${invocation()} cancel ${name} --as YOUR-NAME`,
    });
  };
  await underWay(rotationWorkflowId(ref));
  const stagedBy = known?.stagedBy ?? null;
  const here = await namespaceOf(client)();
  const isOver = stagedBy?.namespaceId === here.id;
  if (stagedBy && isOver) await underWay(stagedBy.workflowId);
  const reached = known?.reached ?? 'new only';
  const shown = reached !== 'old only';
  if (isOver && shown && !known?.edited)
    throw new KeyturnError('in-use', `${name} can be settled by a run: ${cameTo({ reached, arrangement })}`, {
      hint: `the next run settles it first, by its own rules: ${invocation()} rotate ${name} --operator YOUR-NAME`,
    });
  return [
    ...(isOver ? [] : [`whether that run is over is not known in the Temporal namespace "${here.name}"`]),
    ...(shown ? [`it had come to "${reached}"`] : []),
    ...(shown && known?.edited ? [`somebody has changed ${slot.key} by hand since`] : []),
    ...(kind === 'database' ? ['a role that the run made stays in the database, to be dropped by hand'] : []),
  ];
}

async function record(
  ledger: Ledger,
  { ref, kind }: RotationPlan,
  { rotation, by, startedAt, notes }: { rotation: string; by: string; startedAt: string; notes: string },
): Promise<void> {
  await ledger.append({
    // A run of that id may have a row of its own.
    requestId: `${rotation}, discarded`,
    ...ref,
    kind,
    operator: by,
    method: 'discard',
    reason: 'routine',
    // Of the run, which never came to its end: it moves no due date.
    outcome: 'stopped',
    proof: null,
    startedAt,
    finishedAt: new Date().toISOString(),
    nextDueAt: null,
    notes,
    evidence: [],
  });
}
