/** Asks people within a step: what a no comes to, to which plan their answer is bound, and who is reminded. */
import { whoMayDecide } from '../../domain/gate.js';
import { formatRef } from '../../domain/refs.js';
import { effects } from './activities.js';
import type { Course } from './course.js';

export interface DecisionOptions {
  /** True takes the question back: what it asked about is gone. */
  readonly moot?: () => boolean;
  /** A question that no policy foresaw is not answered by a deadline. */
  readonly denyOnExpiry?: boolean;
  /** What a no comes to, for people; default: all is undone. */
  readonly afterDenial?: string;
}

/** What a no comes to past the point of no return. */
const NOTHING_UNDONE =
  'the run ends stopped: nothing is undone, the new value stays in use and the old one is kept in the store';

interface Asked {
  /** The step. */
  readonly key: string;
  /** Of the gate. */
  readonly name: string;
  readonly question: string;
}

/** @returns who decided; null when the question was taken back. @throws Rejected. */
export async function decide(
  { plan, gates, board, services, pastNoReturn }: Course,
  { key, name, question }: Asked,
  { moot, denyOnExpiry = false, afterDenial }: DecisionOptions,
): Promise<string | null> {
  const ref = formatRef(plan.ref);
  await services.release();
  const after = afterDenial ?? (pastNoReturn ? NOTHING_UNDONE : undefined);
  board.waitsForApproval(key);
  const summary = await gates.pass({
    name,
    // Usually a no is the safe answer; here the person must know that it is not.
    question: after === NOTHING_UNDONE ? `${question} If not, ${after}.` : question,
    // The plan, in this run: after a reset decisions are asked for anew.
    plan: `${plan.digest}@${gates.resets.part}`,
    requester: plan.operator,
    policy: denyOnExpiry ? { ...plan.approval, onExpiry: 'deny' } : plan.approval,
    remind: (gate, sent) =>
      effects(`Reminder ${sent} for ${name}`).remindApprovers({
        ref,
        gate: name,
        who: whoMayDecide(gate),
        expiresAt: gate.expiresAt,
        sent,
      }),
    ...(moot ? { moot } : {}),
    ...(after === undefined ? {} : { afterDenial: after }),
  });
  board.setPhase('changing');
  if (summary !== null) gates.note(`${name}: ${summary}`);
  return summary;
}
