/** What `keyturn plan` asks: the readiness questions, without the flows that would leave traces. Changes nothing. */
import type { RotationPlan } from '../domain/plan.js';
import type { ActivityDeps } from './deps.js';
import { assessReadiness, type ReadinessLine } from './readiness.js';
import { purposeOfLook, withScope } from './scope.js';

const LIMIT_MS = 120_000;
/** For each health check, besides what its passes in a row take: short enough for a person who waits. */
const PATIENCE_MS = 3_000;

export async function previewRotation(plan: RotationPlan, deps: ActivityDeps): Promise<ReadinessLine[]> {
  const signal = AbortSignal.timeout(LIMIT_MS);
  const leftBehind = (): void =>
    deps.log('warn', 'a login of this look was not dropped; it can no longer be used soon');
  return await withScope(purposeOfLook('plan'), leftBehind, async () => {
    const { lines } = await assessReadiness(plan, deps, { signal, flows: false, patience: PATIENCE_MS });
    return lines;
  });
}
