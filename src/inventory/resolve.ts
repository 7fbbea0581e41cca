/** From the inventory and a request to the plan of one run: pure, so the same request gives the same plan. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../domain/canonical-json.js';
import { DEFAULT_TASK_QUEUE } from '../domain/messages.js';
import type { PlannedSwap, RotationPlan } from '../domain/plan.js';
import type { Reason } from '../domain/reason.js';
import type { SecretRef, SecretSelector } from '../domain/refs.js';
import { runbookFor } from '../runbooks/index.js';
import { decide, type Decisions } from './decide.js';
import { planEncryption } from './encryption.js';
import { findSecret, findSecrets } from './find.js';
import type { Inventory } from './inventory.js';
import { generatorOf } from './merge.js';
import { Resolver } from './resolver.js';
import { commandIn, type Variables } from './settings.js';
import { slotOf } from './slots.js';
import { planSwap } from './swap.js';

export interface PlanRequest {
  readonly ref: SecretRef;
  readonly operator: string;
  readonly reason: Reason;
  readonly requestId: string;
  /** What the requester wants on the record. */
  readonly note: string | null;
  /** ISO 8601, default now: a new database role carries its date. */
  readonly at?: string;
  /** The worker's environment, for settings. */
  readonly variables: Variables;
}

/** The secrets that a selector means, in rollout order. @throws KeyturnError `unknown-secret` with the nearest name. */
export function expandSelector(inventory: Inventory, selector: SecretSelector): SecretRef[] {
  return findSecrets(inventory, selector).map(({ system, environment, secret }) => ({
    system: system.spec.system,
    environment: environment.name,
    secret: secret.name,
  }));
}

/**
 * @throws KeyturnError `unknown-secret` (with the nearest name), `no-runbook` (no runbook for this kind of secret),
 * `setting-missing` and `setting-secret` (see SettingValues).
 */
export function resolvePlan(inventory: Inventory, request: PlanRequest): RotationPlan {
  const found = findSecret(inventory, request.ref);
  const { system, environment, secret } = found;
  runbookFor(secret.kind, request.ref);
  const resolver = new Resolver(found, request.variables);
  const swap =
    secret.kind === 'database' ? planSwap(found, resolver, { at: new Date().toISOString(), ...request }) : null;
  const encryption = secret.kind === 'encryption' ? planEncryption(found, resolver, request.ref) : null;
  const decisions = decide(found, request.reason);
  const plan: Omit<RotationPlan, 'digest'> = {
    ref: { system: system.spec.system, environment: environment.name, secret: secret.name },
    kind: secret.kind,
    method: swap ? methodOfSwap(swap) : encryption ? `re-encrypt (${encryption.mode})` : methodOf(decisions),
    operator: request.operator,
    reason: request.reason,
    note: request.note,
    requestId: request.requestId,
    taskQueue: taskQueueOf(environment.taskQueue, resolver, request.variables),
    inventoryFile: system.file,
    command: commandIn(request.variables),
    slot: slotOf(found, resolver.settings),
    generator: generatorOf(secret),
    minimumLength: secret.minimumLength,
    cadence: secret.cadence,
    overlap: decisions.overlap && resolver.settings.fillAll(decisions.overlap),
    services: secret.services.map((name) => resolver.service(name)),
    verify: (secret.verify ?? []).map((name) => resolver.check(name)),
    monitors: resolver.monitors(secret.monitors ?? [], decisions.overlap !== null),
    watch: secret.watch,
    revocation: decisions.revoke ? resolver.revocation() : null,
    proof: resolver.proof(),
    swap,
    encryption,
    window: decisions.window,
    approval: { ...secret.approval, gates: [...decisions.gates] },
    decisions: decisions.inWords,
  };
  return { ...plan, digest: digestOf(plan) };
}

/** Where an environment names none, the queue of the worker that makes the plan: that one is polled for certain. */
function taskQueueOf(named: string | null, resolver: Resolver, variables: Variables): string {
  return named === null ? variables['KEYTURN_TASK_QUEUE'] || DEFAULT_TASK_QUEUE : resolver.settings.fill(named);
}

/** 128 bits: decisions are bound to it, and of 48 bits two plans that share a digest are found in minutes. */
const DIGEST_DIGITS = 32;

/** The request id and how people call Keyturn are left out, and with the id the name of a new role: the digest names what will be done, whichever run does it. */
export function digestOf(plan: Omit<RotationPlan, 'digest'>): string {
  const content = canonicalJson({
    ...plan,
    requestId: undefined,
    command: undefined,
    fingerprintKey: undefined,
    swap: plan.swap && { ...plan.swap, newRole: undefined },
  });
  return createHash('sha256').update(content, 'utf8').digest('hex').slice(0, DIGEST_DIGITS);
}

function methodOfSwap({ strategy }: PlannedSwap): string {
  return strategy === 'same-role' ? 'new password in place' : `new role (${strategy})`;
}

function methodOf({ overlap }: Decisions): string {
  if (!overlap) return 'replace';
  return overlap.style === 'list' ? 'overlap (list)' : 'overlap (previous variable)';
}
