/** Steps that both ways of rotating an encryption key share. */
import { CancellationScope } from '@temporalio/workflow';
import type { EncryptionHold } from '../../activities/encryption-activities.js';
import type { BackupPlan } from '../../domain/backup.js';
import type { Evidence } from '../../domain/evidence.js';
import type { PlannedEncryption } from '../../domain/plan.js';
import { formatRef } from '../../domain/refs.js';
import { cameTo, type Arrangement } from '../../domain/slot.js';
import { effects, longEffects, persistentEffects, persistentLongEffects } from './activities.js';
import { endsRun, reasonOf } from './failures.js';
import { proveOldDead } from './proving.js';
import { seeReady } from './ready.js';
import { holdOf, stagingOf } from './rollout.js';
import type { Run } from './run.js';

export interface BegunKey {
  readonly hold: EncryptionHold;
  /** Where an earlier run was terminated, whose key this one goes on with; null: it begins anew. */
  readonly left: Arrangement | null;
  /** `used`: rows may be under the new key; to be set before the first can be. */
  readonly key: { used: boolean };
}

/**
 * Readiness, and the new key in the store.
 *
 * A terminated run may have left rows under a key that stands nowhere but in the store. So this run takes over that run's hold
 * instead of tidying it away; every step asks first what is already so.
 */
export async function beginKey(
  run: Run<'settle' | 'stage' | 'back-up' | 'approve-promote'>,
  encryption: PlannedEncryption,
): Promise<BegunKey> {
  const { plan } = run;
  const { ref, taskQueue } = plan;
  const ready = await seeReady(run);
  const left = ready.leftBehind;
  const key = { used: left !== null };
  const hold: EncryptionHold = { ...holdOf(plan), encryption, ...(left ? { rotation: left.rotation } : {}) };
  if (left) {
    run.earlier.isGoneOnWith(left);
    await run.step('settle', () =>
      Promise.resolve({ summary: `of run ${left.rotation} ${cameTo(left)}: its key is used on` }),
    );
  }
  await run.step('stage', () => effects('Stage a new key', taskQueue).stageKey({ ...hold, ...stagingOf(plan) }), {
    undo: () => discard(hold, key, taskQueue),
  });
  await run.step('back-up', () => backUpKey(run, encryption));
  await run.gate('approve-promote', `Use the new key of ${formatRef(ref)} (${plan.method}, ${plan.reason})?`);
  return { hold, left: left?.arrangement ?? null, key };
}

/** What nothing was ever under goes without a look at the rows. */
async function discard(hold: EncryptionHold, { used }: BegunKey['key'], taskQueue: string): Promise<Evidence> {
  return used
    ? await persistentLongEffects('Undo: discard the staged key, which no row needs', taskQueue).discardKey(hold)
    : await persistentEffects('Undo: discard the staged key', taskQueue).discardSecret(hold);
}

/** Archives of the staged key stay when the run is undone: what is in them is used by nobody. */
export async function backUpKey({ plan }: Run, { backups }: PlannedEncryption): Promise<Evidence> {
  const { ref, operator, requestId, taskQueue } = plan;
  const at = new Date(Date.now()).toISOString();
  const said: string[] = [];
  for (const backup of backups) {
    const { system, environment } = ref;
    const request = { system, environment, backup, operator, requestId, at };
    const archive = await effects(`Plan the backup ${backup}`, taskQueue).resolveBackup(request);
    try {
      await effects(`Back up to ${backup}`, archive.taskQueue).makeArchive(archive);
      const proven = await effects(`Prove the restore of ${backup}`, archive.taskQueue).proveArchive(archive);
      said.push(proven.summary);
    } catch (error) {
      if (endsRun(error)) await setAside(archive, reasonOf(error));
      throw error;
    }
  }
  return { summary: said.join('; ') };
}

/** As a run of backups does, so that nobody takes it for one; where it cannot be done, why the backup failed is what counts. */
async function setAside(plan: BackupPlan, why: string): Promise<void> {
  await CancellationScope.nonCancellable(() =>
    effects('Keep the unproven archive aside', plan.taskQueue).setArchiveAside({ plan, why }),
  ).catch((error: unknown) => {
    if (!endsRun(error)) throw error;
  });
}

/** Nothing is destroyed before every row has been read under the new key alone. */
export async function endWithOldKey(run: Run<'prove' | 'take-on' | 'forget'>, hold: EncryptionHold): Promise<void> {
  await proveOldKeyUnused(run, hold);
  await forgetOldKey(run, hold);
}

export async function proveOldKeyUnused(run: Run<'prove' | 'take-on'>, hold: EncryptionHold): Promise<void> {
  const { taskQueue } = run.plan;
  await proveOldDead(run, () => longEffects('Prove that no row needs the old key', taskQueue).proveOldKeyUnused(hold));
}

export async function forgetOldKey(run: Run<'forget'>, hold: EncryptionHold): Promise<void> {
  const { taskQueue } = run.plan;
  await run.step('forget', () => persistentEffects('Destroy the old key', taskQueue).forgetPrevious(hold));
}
