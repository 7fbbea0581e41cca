/** What people are asked before a run settles what an earlier one has left. */
import type { LeftBehind } from '../../activities/rotation-activities.js';
import { NO_PROOF_DECLARED, proofInWords, type Proof } from '../../domain/proof.js';
import { isExposed } from '../../domain/reason.js';
import { formatRef } from '../../domain/refs.js';
import { cameTo } from '../../domain/slot.js';
import type { SettlementKey } from '../../runbooks/session/steps.js';
import type { Run } from './run.js';

/**
 * The policy's word: where a run's own steps need people, so does finishing another one's. Besides, people are asked before a
 * value goes that may have signed; not after a leak, whose run replaces either value.
 */
export function gateOf({ plan }: Run, left: LeftBehind): SettlementKey[] {
  const asked = plan.approval.gates.length > 0 || (mayHaveSigned(left) && !isExposed(plan.reason));
  return asked ? ['approve-settle'] : [];
}

/** The run had come to where services sign with the new value, and the store shows that the old one does. */
function mayHaveSigned({ reached, arrangement }: LeftBehind): boolean {
  return reached.startsWith('new') && arrangement.startsWith('old');
}

/** @param what is done then. @throws Rejected. */
export async function askFirst(run: Run<SettlementKey>, left: LeftBehind, what: string): Promise<void> {
  const { arrangement, rotation } = left;
  run.earlier.settled(`what run ${rotation} left is not settled: the store still shows "${arrangement}"`, false);
  if (gateOf(run, left).length === 0) return;
  const name = formatRef(run.plan.ref);
  const signed = mayHaveSigned(left) ? ', and what was signed with its value is refused then' : '';
  const question = `Run ${rotation} was ended, and of ${name} ${cameTo(left)}. Settle it first: ${what}${signed}?`;
  await run.gate('approve-settle', question);
}

/** As a run's own end after a leak: its old value may be the one that others have. */
export async function askToEndUnproven(run: Run<SettlementKey>, { rotation }: LeftBehind, shown: Proof): Promise<void> {
  const name = formatRef(run.plan.ref);
  const because = proofInWords(shown);
  const declare = shown === NO_PROOF_DECLARED ? ', or declare a proof in the inventory' : '';
  const todo = `the value of run ${rotation} is in use; the one before it is kept and may still be accepted (${because}): look by hand whether it is refused${declare}, and start a rotation of ${name} once more, which asks again`;
  const question = `Nothing shows that the value of ${name} before that of run ${rotation} is dead (${shown.because}), and it may be what others have. Destroy it all the same?`;
  await run.unlessHalfDone(todo, () =>
    run.gate('settle-take-on', question, {
      denyOnExpiry: true,
      afterDenial: 'the run ends stopped: that value is kept in the store, and nothing of this run has begun',
    }),
  );
}
