/**
 * Everything that can be known before a rotation changes anything. All questions are asked, so that a person mends all
 * problems at once.
 */
import { askCheck } from '../checks/run-check.js';
import { passConsecutively } from '../checks/consecutive.js';
import { tryRevocation } from '../checks/sessions.js';
import { DatabaseError } from '../databases/connection.js';
import { openDeployer } from '../deployers/open-deployer.js';
import { milliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import { placeInWords } from '../domain/place.js';
import type { JoseHeader } from '../domain/jose-header.js';
import type { ReadinessLine } from '../domain/preview.js';
import type { RotationPlan } from '../domain/plan.js';
import { isExposed } from '../domain/reason.js';
import { formatRef, rotationWorkflowId } from '../domain/refs.js';
import type { PlannedCheck } from '../domain/specs/check.js';
import { redact, type SecretValue } from '../domain/secret-value.js';
import type { Versions } from '../domain/slot.js';
import { FAILURE_TYPES } from '../domain/status.js';
import { openStore } from '../stores/open-store.js';
import { assessStrength } from '../stores/strength.js';
import { answerDemand, demandOf } from './backup/demand.js';
import { askLedger } from './ask-ledger.js';
import { checkContext } from './check-context.js';
import type { ActivityDeps } from './deps.js';
import { judgeEarlierRun, leftovers } from './earlier-run.js';
import { askAboutEncryption } from './encryption/readiness.js';
import { askAboutCopies, reachOf } from './reach.js';
import type { Holder, LeftBehind } from './rotation-activities.js';
import { askAboutSwap, passwordInUse, rolesOf } from './swap/readiness.js';
import { judgeOthers } from './other-values.js';
import { inTheSamePlace, sharedWith } from './uniqueness.js';
import { rehearseProof } from './verification.js';

export interface ReadinessOptions {
  readonly signal: AbortSignal;
  /** Flows sign in and leave traces (a session, a log line), so `keyturn plan` runs them only when told to. */
  readonly flows: boolean;
  /** Not in a run: nobody holds the secret's lock for it, and a person waits. */
  readonly look?: boolean;
}

/** In a look, for each health check, besides what its passes in a row take. */
const PATIENCE_MS = 3_000;

const LOCK_NOT_AVAILABLE = '55P03';

type Question = () => Promise<string | { warning: string }>;

export async function assessReadiness(
  plan: RotationPlan,
  deps: ActivityDeps,
  options: ReadinessOptions,
): Promise<{ lines: ReadinessLine[]; leftBehind: LeftBehind | null; tokenHeader: JoseHeader | null }> {
  const { slot } = plan;
  const store = openStore(slot.store, deps);
  const context = checkContext(deps, options.signal);
  const lines: ReadinessLine[] = [];
  const ask = async (question: string, body: Question): Promise<void> => {
    lines.push(await answer(question, body));
  };

  const holder = options.look ? await deps.findHolder(rotationWorkflowId(plan.ref)) : null;
  if (holder) await ask('other runs of it', () => Promise.reject(heldBy(holder)));
  const found: { versions: Versions | null } = { versions: null };
  await ask(`store of ${slot.key}`, async () => {
    const evidence = await store.preflight(slot);
    const described = await store.describe(slot);
    found.versions = described;
    if (!described.current) throw missing(plan);
    return evidence.summary;
  });
  await ask('its place', async () => {
    const others = await inTheSamePlace(slot, plan.ref, deps);
    if (others.length === 0) return 'belongs to no other secret';
    throw new KeyturnError('bad-inventory', `${placeInWords(slot)} is also ${others.join(', ')}`, {
      hint: 'one place, one secret: take the others out of the inventory',
    });
  });
  const { versions } = found;
  let leftBehind = versions && leftovers(versions, plan.requestId);
  // What a run that is under way has staged is not left behind.
  if (versions && leftBehind && !holder) {
    const [left, { record }] = [leftBehind, versions];
    await ask('earlier runs', async () => ({ warning: await judgeEarlierRun(plan, left, record, deps) }));
  }
  let inUse: SecretValue | null = null;
  if (versions?.current)
    await ask('current value', async () => {
      inUse = await valueInUse(plan, deps);
      return await judgeCurrent(inUse, plan, deps);
    });
  const value = inUse as SecretValue | null;
  if (value) await ask('copies of it', () => askAboutCopies(plan, value));
  // Of an encryption key it is asked how many rows need the others.
  if (versions?.current && !plan.encryption && plan.kind !== 'encryption')
    await ask('other accepted values', () => judgeOthers(plan, deps));
  const demand = versions?.current ? await demandOf(plan.ref, deps) : null;
  if (versions?.current && demand) {
    const { fingerprint } = versions.current;
    const settling = leftBehind !== null;
    await ask('backup', () => answerDemand(plan.ref, demand, { fingerprint, settling, deps }));
  }
  const { swap, encryption } = plan;
  if (encryption && versions?.current)
    await askAboutEncryption(plan, encryption, { deps, signal: options.signal, ask, leftBehind });
  if (swap && versions?.current) {
    await askAboutSwap(plan, swap, { deps, signal: options.signal, ask, leftBehind });
    const left = leftBehind;
    if (left)
      await ask('roles of the earlier run', async () => {
        leftBehind = await rolesOf(plan, swap, left, deps, options.signal);
        const { oldRole = 'in use', newRole } = leftBehind;
        return newRole === undefined ? `the old one: ${oldRole}` : `the new one: ${newRole}; the old one: ${oldRole}`;
      });
  }

  for (const service of plan.services) {
    const deployer = openDeployer(service.deploy, service.name);
    await ask(`deployer of ${service.name}`, async () => {
      const { summary } = await deployer.preflight(options.signal);
      if (!value) return summary;
      const { remarks, warnings } = await reachOf(deployer, service, plan, value, options.signal);
      const said = [summary, ...remarks, ...warnings].join('; ');
      return warnings.length > 0 ? { warning: said } : said;
    });
    for (const check of service.health) {
      await ask(`${service.name}: ${check.name}`, async () => {
        try {
          return (await passConsecutively(hurried(check, options.look ? PATIENCE_MS : Infinity), context)).summary;
        } catch (error) {
          // Settling deploys and checks anew; an unhealthy service may be just what the dead run left.
          if (leftBehind && error instanceof KeyturnError) return { warning: error.message };
          throw error;
        }
      });
    }
  }
  if (options.flows && !leftBehind) {
    for (const check of plan.verify) {
      await ask(`flow ${check.name}`, async () => {
        const result = await askCheck(check, context);
        if (!result.passed)
          throw new KeyturnError('check-failed', `it fails already, before any change: ${result.summary}`);
        return result.summary;
      });
    }
  }
  let tokenHeader: JoseHeader | null = null;
  const { proof } = plan;
  if (proof && versions?.current && options.flows && !leftBehind)
    await ask('proof', async () => {
      try {
        const { tokenHeader: seen, summary } = await rehearseProof(
          { slot, rotation: plan.requestId, proof },
          deps,
          options.signal,
        );
        tokenHeader = seen;
        return summary;
      } catch (error) {
        // After a leak the value is replaced all the same; the end will say what was proven.
        if (isExposed(plan.reason) && error instanceof KeyturnError) return { warning: error.message };
        throw error;
      }
    });
  if (options.look && !options.flows) {
    const untried = [...plan.verify.map(({ name }) => name), ...(proof ? ['the proof'] : [])];
    if (untried.length > 0)
      await ask('flows', () => {
        const warning = `not tried, since signing in leaves traces: ${untried.join(', ')}; a run's first step tries them, and so does keyturn plan ${formatRef(plan.ref)} --flows`;
        return Promise.resolve({ warning });
      });
  }
  const { revocation } = plan;
  if (revocation)
    await ask('sessions', async () => {
      try {
        const live = await tryRevocation(revocation.database, revocation, context);
        return `${live} live; ending them was tried and rolled back`;
      } catch (error) {
        // Somebody held the table for a moment: that says nothing about the right to it.
        if (!(error instanceof DatabaseError) || error.sqlState !== LOCK_NOT_AVAILABLE) throw error;
        return { warning: `ending them could not be tried: ${error.message}` };
      }
    });
  await ask('ledger', () => askLedger(deps));
  return { lines, leftBehind, tokenHeader };
}

function heldBy({ workflowId, runId, phase, startedAt }: Holder): KeyturnError {
  const where = phase === null ? '' : `, phase "${phase}"`;
  return new KeyturnError(
    FAILURE_TYPES.held,
    `${workflowId} is under way (run ${runId} since ${startedAt}${where}), and another one is refused until it has ended`,
  );
}

/** A person waits: whoever is well passes at once, and whoever is not may be starting, which is told just as soon. */
function hurried(check: PlannedCheck, patience: number): PlannedCheck {
  const needed = milliseconds(check.every) * (check.passes - 1) + patience;
  return needed < milliseconds(check.within) ? { ...check, within: `${needed}ms` } : check;
}

async function answer(question: string, body: Question): Promise<ReadinessLine> {
  try {
    const said = await body();
    return typeof said === 'string'
      ? { question, state: 'ok', answer: redact(said) }
      : { question, state: 'warning', answer: redact(said.warning) };
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError')
      return { question, state: 'problem', answer: 'no answer in the time there was: is the machine very busy?' };
    if (!(error instanceof KeyturnError)) throw error;
    const said = error.hint ? `${error.message} (${error.hint})` : error.message;
    return { question, state: 'problem', answer: redact(said) };
  }
}

async function valueInUse(plan: RotationPlan, deps: ActivityDeps): Promise<SecretValue> {
  if (plan.swap) return await passwordInUse(plan, plan.swap, deps);
  return await openStore(plan.slot.store, deps).read(plan.slot, 'current');
}

/** A weak or shared current value is a reason to rotate, not to refuse. */
async function judgeCurrent(
  value: SecretValue,
  plan: RotationPlan,
  deps: ActivityDeps,
): Promise<string | { warning: string }> {
  const shared = await sharedWith(value, plan.ref, deps);
  const faults = [...assessStrength(value, plan.minimumLength), ...shared.map((ref) => `the same as ${ref}`)];
  return faults.length > 0 ? { warning: faults.join(', ') } : `${value.length} characters, unlike every other value`;
}

function missing(plan: RotationPlan): KeyturnError {
  return new KeyturnError('not-found', `${plan.slot.key} has no value in its store`, {
    hint: 'set a first value by hand; from then on Keyturn rotates it',
  });
}
