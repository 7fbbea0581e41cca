/**
 * Every call of a runbook, disturbed in every way. A runbook is carried out once undisturbed and says by that what its calls and its
 * gates are; each call with each disturbance is a run of its own, and whatever becomes of it is held against the invariants.
 */
import { createHash } from 'node:crypto';
import type { IfCancelled } from '../../../src/domain/cancelling.js';
import type { Reason } from '../../../src/domain/reason.js';
import {
  answerLost,
  cancelledAfter,
  cancelledBefore,
  cancelledTooLate,
  crashedBefore,
  doneAllTheSame,
  failedAfter,
  failedBefore,
  type Fault,
} from '../../workflows/support/faults.js';
import { GATE_NAMES } from '../../../src/domain/specs/policy.js';
import { lockIdOf } from '../../../src/domain/service-lock.js';
import { brokenBy, type Disturbance } from './invariants.js';
import { outlineFor, type Runbook } from './runbooks.js';
import type { Case, Stage } from './stage.js';

export interface Undisturbed {
  readonly calls: readonly string[];
  readonly outlooks: ReadonlyMap<string, IfCancelled | null>;
  /** With all gates of the policy. */
  readonly gates: readonly string[];
}

function terminated(one: Case): Fault {
  return async (_, body) => {
    await body().catch(() => undefined);
    one.execution.terminate();
    throw new Error('its run is gone');
  };
}

/** What can become of a call. */
const WAYS = {
  'crashed before': () => crashedBefore,
  'answer lost': () => answerLost,
  'failed before': () => failedBefore,
  'failed after': () => failedAfter,
  'cancelled before': (one: Case) => cancelledBefore(() => cancel(one)),
  'cancelled after': (one: Case) => cancelledAfter(() => cancel(one)),
  'cancelled, and done all the same': (one: Case) => doneAllTheSame(() => cancel(one)),
  terminated,
  // A run that goes on from another one, and does not get there either.
  'terminated, and the next one failed': (one: Case) => {
    one.nextFaults.set('deployService 1', failedAfter);
    return terminated(one);
  },
} satisfies Partial<Record<Disturbance['way'], (one: Case) => Fault>>;
type Way = keyof typeof WAYS;

/** An undisturbed run says what there is to disturb. @returns what was broken even so. */
export async function undisturbed(stage: Stage, runbook: Runbook, reason: Reason): Promise<[Undisturbed, string[]]> {
  const plain = stage.case(runbook, reason, [], nameOf(runbook, reason, 'undisturbed'));
  plain.looks = true;
  const gated = stage.case(runbook, reason, GATE_NAMES, nameOf(runbook, reason, 'with all gates'));
  const [first, asked] = await Promise.all([plain.run(), gated.run()]);
  const wrong = [plain, gated].flatMap((one) => broken(one, { way: 'undisturbed', at: 'nowhere', outlook: null }));
  for (const one of [plain, gated]) stage.done(one);
  return [{ calls: first.calls, outlooks: first.outlooks, gates: asked.gates }, wrong];
}

export interface Place extends Disturbance {
  readonly runbook: Runbook;
  readonly reason: Reason;
}

/** Calls × ways, and each gate said no to. */
export function placesOf(runbook: Runbook, reason: Reason, { calls, outlooks, gates }: Undisturbed): Place[] {
  const of = { runbook, reason };
  const disturbed = calls.flatMap((at) => {
    const outlook = outlooks.get(at) ?? null;
    return waysAt(at, outlook).map((way) => ({ ...of, at, way, outlook }));
  });
  const rejected = gates.map((at) => ({ ...of, at, way: 'rejected', outlook: null }) as const);
  return [...disturbed, ...rejected];
}

function waysAt(call: string, outlook: IfCancelled | null): Way[] {
  // A question that the worker answers while it carries the run out: neither the run nor the question can be ended in between.
  if (call.startsWith('findAhead')) return ['answer lost', 'failed before'];
  const ways = Object.keys(WAYS) as Way[];
  // Where a cancellation comes too late it does not reach the step.
  return outlook?.comes === 'too late' ? ways.filter((way) => !/^cancelled (?:before|after)$/.test(way)) : ways;
}

/** @returns what was broken, a line each. */
export async function carriedOut(stage: Stage, place: Place): Promise<string[]> {
  const { runbook, reason, at, way, outlook } = place;
  const gates = way === 'rejected' ? GATE_NAMES : [];
  const one = stage.case(runbook, reason, gates, nameOf(runbook, reason, `${at} ${way}`));
  const title = titleOf(place);
  try {
    if (way === 'rejected') one.decisions.set(at, 'reject');
    else if (outlook?.comes === 'too late' && way === 'cancelled, and done all the same')
      one.faults.set(
        at,
        cancelledTooLate(() => cancel(one)),
      );
    else one.faults.set(at, WAYS[way as Way](one));
    const first = await one.run();
    const reached = way === 'rejected' ? first.gates.includes(at) : one.disturbed.includes(at);
    if (!reached) return [`${title}: was not reached`];
    // The next run finds what there is.
    if (first.outcome === 'terminated') await one.run();
    return [...broken(one, place), ...locksLeft(stage, one)].map((line) => `${title}: ${line}`);
  } catch (error) {
    return [`${title}: ${String(error)}`];
  } finally {
    stage.done(one);
  }
}

function broken({ runbook, reason, world, plan, attempts }: Case, disturbance: Disturbance): string[] {
  const outline = outlineFor(runbook, plan);
  return brokenBy({ disturbance, reason, backup: runbook.backup ?? false, outline, world, attempts });
}

function cancel(one: Case): Promise<void> {
  one.execution.cancel();
  return Promise.resolve();
}

/** The lock of a run ends with it. */
function locksLeft({ engine }: Stage, { world }: Case): string[] {
  return engine.running(lockIdOf(world.thing)) ? ['no lock is left: its service is locked'] : [];
}

export function titleOf({ runbook, reason, at, way }: Place): string {
  return `${runbook.name}, ${reason}: ${at} ${way}`;
}

/** The same at each run of the suite. */
function nameOf(runbook: Runbook, reason: Reason, what: string): string {
  const name = `${runbook.name} ${reason} ${what}`;
  const mark = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${mark}_${name.replaceAll(/[^A-Za-z0-9]+/g, '_')}`.slice(0, 63);
}
