/** Deploying a service and seeing that it is well. */
import { passConsecutively } from '../checks/consecutive.js';
import type { Container } from '../deployers/compose-facts.js';
import type { Deployer } from '../deployers/deployer.js';
import { openDeployer } from '../deployers/open-deployer.js';
import type { Evidence } from '../domain/evidence.js';
import { KeyturnError } from '../domain/errors.js';
import type { PlannedService } from '../domain/plan.js';
import type { ActivityTools } from './as-activity.js';
import { checkContext } from './check-context.js';
import type { ActivityDeps } from './deps.js';

interface SavedDeploy {
  /** null: it failed, and may have changed something. */
  readonly deployed: string | null;
  readonly before: readonly Container[];
}

/**
 * One activity, since a deploy whose health nobody looks at is not done; the deploy's evidence is saved in between, so that
 * an attempt that takes over only asks for health and does not restart the service once more.
 * @param changed files whose new content it brings into service: a container that is the same as before is a failure then. None on
 * the way back, where one that was never replaced runs with the right values already.
 * @throws KeyturnError as the deploy or the failing check says, with the service's state and last log lines as its diagnosis
 * (document 000: `logs --tail=80`).
 */
export async function deployService(
  service: PlannedService,
  changed: readonly string[],
  deps: Pick<ActivityDeps, 'variables'>,
  tools: Pick<ActivityTools, 'signal' | 'save' | 'saved'>,
): Promise<Evidence> {
  const { signal } = tools;
  // One for the whole activity: only the instance that deployed knows what its tool has said.
  const deployer = openDeployer(service.deploy, service.name);
  const { containers } = deployer;
  const earlier = tools.saved as SavedDeploy | undefined;
  try {
    const before = earlier?.before ?? (await containers?.lookBefore(signal)) ?? [];
    const deployed = earlier?.deployed ?? (await deployOnce(deployer, before, tools));
    tools.save({ deployed, before } satisfies SavedDeploy);
    if (changed.length > 0) await containers?.assertReplaced(before, changed, signal);
    const healthy = await seeHealthy(service, deps, signal);
    const remarks = (await containers?.assertProjectWell(before, signal)) ?? [];
    return { summary: [deployed, healthy, ...remarks].join('; ') };
  } catch (error) {
    if (!(error instanceof KeyturnError) || signal.aborted) throw error;
    throw await diagnosed(error, deployer, signal);
  }
}

async function deployOnce(
  deployer: Deployer,
  before: readonly Container[],
  { signal, save }: Pick<ActivityTools, 'signal' | 'save'>,
): Promise<string> {
  try {
    return (await deployer.deploy(signal)).summary;
  } catch (error) {
    // Some containers may be replaced by now: the next attempt compares with what there was before any.
    save({ deployed: null, before } satisfies SavedDeploy);
    throw error;
  }
}

/** Idempotent. @throws KeyturnError as the deployer's `stop`, with what it last said as its diagnosis. */
export async function stopService(service: PlannedService, signal: AbortSignal): Promise<Evidence> {
  const deployer = openDeployer(service.deploy, service.name);
  try {
    return await deployer.stop(signal);
  } catch (error) {
    if (!(error instanceof KeyturnError) || signal.aborted) throw error;
    throw await diagnosed(error, deployer, signal);
  }
}

async function seeHealthy(
  service: PlannedService,
  deps: Pick<ActivityDeps, 'variables'>,
  signal: AbortSignal,
): Promise<string> {
  const context = checkContext(deps, signal);
  const seen: string[] = [];
  for (const check of service.health) {
    try {
      seen.push((await passConsecutively(check, context)).summary);
    } catch (error) {
      if (!(error instanceof KeyturnError) || signal.aborted) throw error;
      throw new KeyturnError(error.code, `${service.name} is not healthy: ${error.message}`, {
        // The check has changed nothing, the deploy before it has.
        effect: 'applied',
        retryable: error.retryable,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
        cause: error,
      });
    }
  }
  return seen.join('; ');
}

async function diagnosed(error: KeyturnError, deployer: Deployer, signal: AbortSignal): Promise<KeyturnError> {
  return new KeyturnError(error.code, error.message, {
    effect: error.effect,
    retryable: error.retryable,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    diagnosis: await deployer.diagnose(signal),
    cause: error,
  });
}
