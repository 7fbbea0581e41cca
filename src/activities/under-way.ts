/** Which other runs are under way on the services that a run would deploy: for people who plan one. */
import { deployedThing } from '../deployers/deployed-thing.js';
import type { RotationPlan } from '../domain/plan.js';
import type { ReadinessLine } from '../domain/preview.js';
import { rotationWorkflowId } from '../domain/refs.js';
import type { UnderWay } from '../domain/service-lock.js';
import type { ActivityDeps } from './deps.js';

/** One line a run: on what, who, and what it waits for. The secret's own is told elsewhere, as what stands in the way. */
export async function askWhoIsUnderWay(
  { ref, services }: Pick<RotationPlan, 'ref' | 'services'>,
  { serviceLocks }: Pick<ActivityDeps, 'serviceLocks'>,
): Promise<ReadinessLine[]> {
  const named = await Promise.all(
    services.map(async ({ name, deploy }) => ({ name, thing: await deployedThing(deploy) })),
  );
  const things = [...new Set(named.map(({ thing }) => thing))];
  const locks = await Promise.all(things.map((thing) => serviceLocks.latest(thing)));
  const holders = locks.flatMap((lock) => (lock?.held === true ? [lock.holder.workflowId] : []));
  const others = (await serviceLocks.underWay(things)).filter(
    ({ workflowId }) => workflowId !== rotationWorkflowId(ref),
  );
  return others.map((run) => ({
    question: `under way on ${named.flatMap(({ name, thing }) => (run.things.includes(thing) ? [name] : [])).join(', ')}`,
    state: 'warning',
    answer: `${run.ref} since ${run.since}: ${doing(run, holders.includes(run.workflowId))}`,
  }));
}

function doing({ turn, note }: UnderWay, holds: boolean): string {
  if (holds) return 'it deploys now, and this run would wait for that';
  if (turn !== null) return 'it waits for its turn to deploy';
  if (note?.gate) return `it waits for a decision (${note.gate.name})`;
  if (note?.wait) return `it waits: ${note.wait.what} until ${note.wait.until}`;
  return note?.step ? `at "${note.step}"` : 'it goes on';
}
