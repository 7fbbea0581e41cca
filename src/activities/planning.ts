/** From a request to a plan: reading the inventory. */
import { parseRotateInput, type RecoverInput, type RotateInput } from '../domain/messages.js';
import type { SecretRef } from '../domain/refs.js';
import type { RotationPlan } from '../domain/plan.js';
import { planRecovery as planOfRecovery } from '../inventory/recovery.js';
import { expandSelector, resolvePlan } from '../inventory/resolve.js';
import type { ActivityDeps } from './deps.js';
import { fromInventory } from './from-inventory.js';

export async function expandRequest(request: RotateInput, deps: ActivityDeps): Promise<SecretRef[]> {
  return await fromInventory(deps, (inventory) => expandSelector(inventory, parseRotateInput(request)));
}

export async function planRotation(
  request: RotateInput & { environment: string; requestId: string },
  deps: Pick<ActivityDeps, 'worker' | 'loadInventory' | 'variables' | 'fingerprintKey'>,
): Promise<RotationPlan> {
  const { system, environment, secret, operator, reason, requestId, note } = request;
  const plan = await fromInventory(deps, (inventory) =>
    resolvePlan(inventory, {
      ref: { system, environment, secret },
      operator,
      reason,
      requestId,
      note: note ?? null,
      variables: deps.variables,
    }),
  );
  return deps.fingerprintKey === undefined ? plan : { ...plan, fingerprintKey: deps.fingerprintKey };
}

export async function planRecovery(
  request: RecoverInput & { environment: string; requestId: string },
  deps: Pick<ActivityDeps, 'worker' | 'loadInventory' | 'variables' | 'fingerprintKey'>,
): Promise<RotationPlan> {
  const plan = await planRotation(request, deps);
  const { backups, identity = null, passphrase = null } = request;
  const { variables } = deps;
  const offered = { offered: backups, identity, passphrase, variables };
  return await fromInventory(deps, (inventory) => planOfRecovery(inventory, plan, offered));
}
