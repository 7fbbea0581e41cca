/**
 * Versions that an earlier run left in a store. They are settled only where two things are known: that this run is over, and what
 * of them the services were deployed with. Else the new run stops, and destroys nothing.
 */
import { KeyturnError } from '../domain/errors.js';
import { pathOf } from '../domain/place.js';
import type { RotationPlan } from '../domain/plan.js';
import { isExposed } from '../domain/reason.js';
import { formatRef, rotationWorkflowId } from '../domain/refs.js';
import { cameTo, type RotationRecord, type StagedBy, type Versions } from '../domain/slot.js';
import type { ActivityDeps, Namespace } from './deps.js';
import type { LeftBehind } from './rotation-activities.js';

export function leftovers({ rotation, record, arrangement }: Versions, requestId: string): LeftBehind | null {
  if (rotation === null || record === null || rotation === requestId) return null;
  const { reached, stagedBy } = record;
  return { rotation, arrangement, reached, exposed: stagedBy !== null && isExposed(stagedBy.reason) };
}

/** @returns what is noted. @throws KeyturnError `run-not-known`, `run-under-way`, `changed-meanwhile`. */
export async function judgeEarlierRun(
  plan: RotationPlan,
  left: LeftBehind,
  record: RotationRecord | null,
  deps: Pick<ActivityDeps, 'namespace' | 'findHolder'>,
): Promise<string> {
  const { rotation, reached } = left;
  await demandOver(plan, rotation, record?.stagedBy ?? null, deps);
  if (record?.edited && reached !== 'old only') {
    throw new KeyturnError(
      'changed-meanwhile',
      `somebody changed ${plan.slot.key} by hand after run ${rotation} had come to "${reached}": what services use is not known, so nothing is settled and nothing destroyed`,
      {
        hint: `put back what stood there: ${beside(plan)} holds both values${orGiveUp(plan)}`,
      },
    );
  }
  return `run ${rotation} left versions behind (${cameTo(left)}); they are settled first`;
}

/** This run holds the lock of its secret, so no other one under the same id lives. Of other ids Temporal is asked. */
async function demandOver(
  plan: RotationPlan,
  rotation: string,
  stagedBy: StagedBy | null,
  { namespace, findHolder }: Pick<ActivityDeps, 'namespace' | 'findHolder'>,
): Promise<void> {
  const here = await namespace();
  if (here.id !== stagedBy?.namespaceId) {
    const whose = stagedBy
      ? `${inWords(rotation, stagedBy)}, which is not this worker's "${here.name}", for that has another id`
      : `run ${rotation} staged a value here, and it is not known in which Temporal namespace`;
    throw new KeyturnError(
      'run-not-known',
      `${whose}: whether it is over cannot be known here, so nothing of it is touched`,
      {
        // Said by a person, it is settled by a run's own rules: nothing is destroyed by hand.
        hint: `${whereItRuns(stagedBy, here)}; if it is gone for good${giveUpStaged(plan)}, say so with "namespaceId": "${here.id}" under "stagedBy" of its entry in ${beside(plan)}, and the next run settles it`,
      },
    );
  }
  if (stagedBy.workflowId === rotationWorkflowId(plan.ref) || (await findHolder(stagedBy.workflowId)) === null) return;
  throw new KeyturnError('run-under-way', `${inWords(rotation, stagedBy)}, and it is under way`, {
    hint: 'wait for its end, or cancel it',
  });
}

/** The embedded Temporal of `keyturn up` makes a namespace of the same name anew whenever it keeps no state. */
function whereItRuns(stagedBy: StagedBy | null, here: Namespace): string {
  if (stagedBy?.namespace !== here.name) return 'let it come to its end where it runs';
  return 'this is another Temporal server than that run began on, or one that has lost its state: if it was keyturn up with --state DIR, start it with the same --state, and the run goes on there';
}

function giveUpStaged({ kind, ref }: RotationPlan): string {
  return kind === 'encryption'
    ? ''
    : `, keyturn discard ${formatRef(ref)} --as YOUR-NAME --yes destroys what it staged; or`;
}

/** Of an encryption key nobody should say so without having read every row. */
function orGiveUp({ kind, ref }: RotationPlan): string {
  if (kind === 'encryption') return '';
  return `; or, if nothing needs either any more, keyturn discard ${formatRef(ref)} --as YOUR-NAME --yes`;
}

/** The file that holds what an application must not see (stores/versions/sidecar.ts). */
function beside({ slot }: RotationPlan): string {
  return `${pathOf(slot.store)}.keyturn`;
}

function inWords(rotation: string, { namespace, workflowId }: StagedBy): string {
  return `a value that is staged here belongs to run ${rotation} of ${workflowId} in the Temporal namespace "${namespace}"`;
}

/** What stands beside a value that this run stages. */
export async function stagedByRun(
  { namespace }: Pick<ActivityDeps, 'namespace'>,
  { workflowId, reason }: Pick<StagedBy, 'workflowId' | 'reason'>,
): Promise<StagedBy> {
  const { id, name } = await namespace();
  return { namespace: name, namespaceId: id, workflowId, reason };
}
