/** How the workflow calls its activities: time limits, retries, and the queue of the worker that stands beside the effects. */
import {
  ActivityCancellationType,
  proxyActivities,
  proxyLocalActivities,
  type ActivityInterfaceFor,
} from '@temporalio/workflow';
import type { EncryptionActivities } from '../../activities/encryption-activities.js';
import type { BackupActivities } from '../../activities/backup-activities.js';
import type { RecoveryActivities } from '../../activities/recovery-activities.js';
import type { RotationActivities } from '../../activities/rotation-activities.js';
import type { SwapActivities } from '../../activities/swap-activities.js';
import { lookedAt } from './results.js';
import { milliseconds } from '../../domain/durations.js';

export type RunbookActivities = RotationActivities &
  SwapActivities &
  BackupActivities &
  EncryptionActivities &
  RecoveryActivities;

/**
 * 15 s without a heartbeat (workers send one every 3 s on their own) means that the worker is gone, and another takes over.
 * Two minutes of retries (1+2+4+…) carry an effect over a restart of what it talks to; then it is undone.
 */
const EFFECT = {
  // A cancelled run undoes things: first the effect under way must have come to rest.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  heartbeatTimeout: '15s',
  startToCloseTimeout: '20m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s', maximumAttempts: 8 },
} as const;

/** Undo and the ledger must not give up while a person can still repair what is in the way. */
const PERSISTENT = { ...EFFECT, retry: { ...EFFECT.retry, maximumInterval: '1m', maximumAttempts: 40 } } as const;

/**
 * On the way back: after the third attempt people hear of it and are asked (undoing.ts), and it is tried again all the same. Set
 * once, when a run begins to undo; a workflow's modules are its own.
 */
const ASKING = { ...PERSISTENT.retry, maximumAttempts: 3 } as const;
let patience: typeof ASKING | typeof PERSISTENT.retry = PERSISTENT.retry;
export function askAfterThreeAttempts(asks: boolean): void {
  patience = asks ? ASKING : PERSISTENT.retry;
}

/**
 * A person waits, and nothing is changed: what no worker takes on is told soon, and what a worker was lost over is asked once more.
 * With flows, signing in and a rehearsed proof may take minutes.
 */
const LOOK = {
  ...EFFECT,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  scheduleToStartTimeout: '15s',
  startToCloseTimeout: '6m',
  retry: { ...EFFECT.retry, maximumAttempts: 2 },
} as const;

/** A watch or a proof lasts as long as its window; the heartbeat still finds a lost worker at once. */
const LONG = { ...EFFECT, startToCloseTimeout: '60d' } as const;

/** An attempt goes on where the one before it was lost, so attempts are not counted out: what cannot be repaired is not retried at all. */
const SWEEP = { ...LONG, retry: { ...EFFECT.retry, maximumInterval: '1m', maximumAttempts: 1_000 } } as const;

/** @param summary what the Temporal UI shows on the activity's line. */
export function effects(summary: string, taskQueue?: string): ActivityInterfaceFor<RunbookActivities> {
  return lookedAt(proxyActivities<RunbookActivities>({ ...EFFECT, summary, ...(taskQueue ? { taskQueue } : {}) }));
}

export function looks(summary: string, taskQueue?: string): ActivityInterfaceFor<RunbookActivities> {
  return lookedAt(proxyActivities<RunbookActivities>({ ...LOOK, summary, ...(taskQueue ? { taskQueue } : {}) }));
}

/** A question to Temporal itself, answered by the worker that carries the run: one event in history, and no way over a queue. */
export function quickLooks(): ActivityInterfaceFor<RunbookActivities> {
  return lookedAt(
    proxyLocalActivities<RunbookActivities>({ startToCloseTimeout: '5s', retry: { maximumAttempts: 2 } }),
  );
}

export function persistentEffects(summary: string, taskQueue?: string): ActivityInterfaceFor<RunbookActivities> {
  return lookedAt(
    proxyActivities<RunbookActivities>({
      ...PERSISTENT,
      retry: patience,
      summary,
      ...(taskQueue ? { taskQueue } : {}),
    }),
  );
}

export function longEffects(summary: string, taskQueue?: string): ActivityInterfaceFor<RunbookActivities> {
  return lookedAt(proxyActivities<RunbookActivities>({ ...LONG, summary, ...(taskQueue ? { taskQueue } : {}) }));
}

/** An undo that reads as many rows as what it undoes. */
export function persistentLongEffects(summary: string, taskQueue: string): ActivityInterfaceFor<RunbookActivities> {
  return lookedAt(proxyActivities<RunbookActivities>({ ...LONG, retry: patience, summary, taskQueue }));
}

export function sweepEffects(summary: string, taskQueue: string): ActivityInterfaceFor<RunbookActivities> {
  return lookedAt(proxyActivities<RunbookActivities>({ ...SWEEP, summary, taskQueue }));
}

/**
 * An activity that asks again and again, and holds no worker meanwhile: each attempt that finds nothing new fails, and Temporal
 * makes the next one `every` so often, for as long as the workflow wants to know. A server that cannot be asked is asked again too.
 */
export function recurringEffects(
  summary: string,
  taskQueue: string,
  every: string,
): ActivityInterfaceFor<RunbookActivities> {
  const interval = Math.max(1_000, milliseconds(every));
  return lookedAt(
    proxyActivities<RunbookActivities>({
      ...EFFECT,
      // Nothing depends on what it last saw: a fresh question follows.
      cancellationType: ActivityCancellationType.TRY_CANCEL,
      startToCloseTimeout: '2m',
      retry: { initialInterval: interval, backoffCoefficient: 1, maximumInterval: interval },
      summary,
      taskQueue,
    }),
  );
}
