/** Looking at the world after a change: flows, sessions, monitors, and the proof that the old value is dead. */
import { passConsecutively } from '../checks/consecutive.js';
import { watchMonitors as watch, type MonitorState } from '../checks/monitor.js';
import type { CheckContext } from '../checks/check.js';
import { proveOldRefused as prove } from '../checks/proof.js';
import { rehearseProof as rehearse, type Rehearsal } from '../checks/rehearsal.js';
import { countSessions, revokeSessions as revoke } from '../checks/sessions.js';
import type { Deploys, DeploysSeen } from '../checks/others-deploys.js';
import { seeWhoSigns as see } from '../checks/signer.js';
import type { Evidence } from '../domain/evidence.js';
import type { JoseHeader } from '../domain/jose-header.js';
import type { PlannedProof, PlannedRevocation } from '../domain/plan.js';
import type { ProofEvidence } from '../domain/proof.js';
import type { PlannedCheck, PlannedMonitor } from '../domain/specs/check.js';
import { openStore } from '../stores/open-store.js';
import type { ActivityTools } from './as-activity.js';
import { checkContext } from './check-context.js';
import type { ActivityDeps } from './deps.js';
import type { Hold } from './rotation-activities.js';
import { deployedByAnother } from './service-locks.js';

export async function runChecks(
  checks: readonly PlannedCheck[],
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<Evidence> {
  const context = checkContext(deps, signal);
  const seen: string[] = [];
  for (const check of checks) seen.push(`${check.name}: ${(await passConsecutively(check, context)).summary}`);
  return { summary: seen.join('; ') };
}

interface SavedRevocation {
  readonly before: number;
}

/** The count before is saved first: an attempt that takes over must not report what an earlier one has left. */
export async function revokeSessions(
  revocation: PlannedRevocation,
  deps: ActivityDeps,
  { signal, save, saved }: ActivityTools,
): Promise<Evidence> {
  const context = checkContext(deps, signal);
  const earlier = saved as SavedRevocation | undefined;
  const first = earlier?.before ?? (await countSessions(revocation.database, revocation.count, context));
  save({ before: first } satisfies SavedRevocation);
  const now = await revoke(revocation.database, revocation, context);
  // Without an earlier attempt the count inside the revoking transaction is the exact one.
  const before = earlier ? first : now.before;
  const revoked = earlier ? Math.max(now.revoked, before - now.after) : now.revoked;
  return {
    summary: `${before} live before, ${now.after} after, ${revoked} ended`,
    facts: { before, after: now.after, revoked },
  };
}

interface SavedWatch {
  /** Milliseconds already watched by earlier attempts. */
  readonly elapsed: number;
  readonly monitors: MonitorState;
  readonly deploys: DeploysSeen | null;
}

/** The time that earlier attempts watched counts, and so do their baselines. */
export async function watchMonitors(
  {
    monitors,
    milliseconds,
    things,
  }: { monitors: readonly PlannedMonitor[]; milliseconds: number; things: readonly string[] },
  deps: ActivityDeps,
  { signal, save, saved, workflowId }: ActivityTools,
): Promise<Evidence> {
  const earlier = (saved as SavedWatch | undefined) ?? null;
  const startedAt = performance.now();
  const elapsed = (): number => (earlier?.elapsed ?? 0) + performance.now() - startedAt;
  return await watch(monitors, {
    until: Date.now() + Math.max(0, milliseconds - elapsed()),
    ...(earlier ? { baseline: earlier.monitors } : {}),
    ...(earlier?.deploys ? { deploysSeen: earlier.deploys } : {}),
    deploys: deploysByOthers(things, workflowId, deps),
    onProgress: (state, { seen, paused }) =>
      save({ elapsed: elapsed() - paused, monitors: state, deploys: seen } satisfies SavedWatch),
    context: checkContext(deps, signal),
  });
}

/** As the locks on the services tell it: whoever stops or deploys one of them holds its lock. */
function deploysByOthers(
  things: readonly string[],
  workflowId: string,
  deps: Pick<ActivityDeps, 'serviceLocks' | 'findHolder'>,
): Deploys {
  return { look: () => deployedByAnother(things, workflowId, deps) };
}

export async function rehearseProof(
  { slot, proof }: Hold & { proof: PlannedProof },
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<Rehearsal> {
  const current = await openStore(slot.store, deps).read(slot, 'current');
  return await rehearse(proof, { current, context: contextOf(deps, signal) });
}

export async function seeWhoSigns(
  { slot, proof }: Hold & { proof: PlannedProof },
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<Evidence> {
  const store = openStore(slot.store, deps);
  const [old, fresh] = [await store.read(slot, 'previous'), await store.read(slot, 'current')];
  return await see(proof, { old, fresh, context: contextOf(deps, signal) });
}

export async function proveOldRefused(
  { slot, proof, oldHeader }: Hold & { proof: PlannedProof; oldHeader: JoseHeader | null },
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<ProofEvidence> {
  const store = openStore(slot.store, deps);
  const [old, current] = [await store.read(slot, 'previous'), await store.read(slot, 'current')];
  return await prove(proof, { old, current, oldHeader, context: contextOf(deps, signal) });
}

function contextOf(deps: ActivityDeps, signal: AbortSignal): CheckContext {
  return checkContext(deps, signal);
}
