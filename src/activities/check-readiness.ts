/** The same questions (readiness.ts) for a run's first step, which ends at a problem, and for `keyturn plan`, which shows every answer. */
import { KeyturnError } from '../domain/errors.js';
import type { RotationPlan } from '../domain/plan.js';
import { formatRef } from '../domain/refs.js';
import type { ActivityTools } from './as-activity.js';
import type { ActivityDeps } from './deps.js';
import { assessReadiness } from './readiness.js';
import type { Readiness, ReadinessAnswers } from './rotation-activities.js';
import { deployedByAnother, thingsOf } from './service-locks.js';
import { askWhoIsUnderWay } from './under-way.js';

/** How long a person waits for the answers: with flows, signing in may be slow. */
const LIMIT_MS = { flows: 300_000, without: 120_000 };

/**
 * While another run stops or deploys the services, nothing is asked: they are not well, and that says nothing about this run.
 * @throws KeyturnError `not-ready` with every problem; `effect` is `none`.
 */
export async function checkReadiness(
  plan: RotationPlan,
  deps: ActivityDeps,
  { signal, workflowId }: Pick<ActivityTools, 'signal' | 'workflowId'>,
): Promise<Readiness> {
  const things = await thingsOf(plan.services);
  const before = await deployedByAnother(things, workflowId, deps);
  if (before.by !== null) return askedTooEarly(before.by, things);
  const { lines, leftBehind, tokenHeader } = await assessReadiness(plan, deps, { signal, flows: true });
  const problems = lines.filter((line) => line.state === 'problem');
  if (problems.length > 0) {
    const { by } = await deployedByAnother(things, workflowId, deps, before.mark);
    if (by !== null) return askedTooEarly(by, things);
    const text = problems.map((line) => `${line.question}: ${line.answer}`).join('; ');
    throw new KeyturnError('not-ready', text, {
      hint: `mend this, then start again; keyturn plan ${formatRef(plan.ref)} asks the same questions`,
    });
  }
  const warnings = lines.filter((line) => line.state === 'warning').map((line) => `${line.question}: ${line.answer}`);
  const summary = `${lines.length} questions asked, all well${warnings.length > 0 ? `; noted: ${warnings.join('; ')}` : ''}`;
  return {
    summary,
    facts: { questions: lines.length, warnings: warnings.length },
    leftBehind,
    tokenHeader,
    things,
    deployedBy: null,
  };
}

function askedTooEarly(deployedBy: string, things: readonly string[]): Readiness {
  return { summary: `deployed by ${deployedBy} meanwhile`, leftBehind: null, tokenHeader: null, things, deployedBy };
}

/** For `keyturn plan`: every answer, whatever it is. */
export async function askReadiness(
  plan: RotationPlan,
  { flows }: { flows: boolean },
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<ReadinessAnswers> {
  const limit = AbortSignal.timeout(flows ? LIMIT_MS.flows : LIMIT_MS.without);
  const { lines } = await assessReadiness(plan, deps, {
    signal: AbortSignal.any([signal, limit]),
    flows,
    look: true,
  });
  const problems = lines.filter(({ state }) => state === 'problem').length;
  const summary = `${lines.length} questions asked, ${problems} problems`;
  return { summary, worker: deps.worker, lines: [...lines, ...(await askWhoIsUnderWay(plan, deps))] };
}
