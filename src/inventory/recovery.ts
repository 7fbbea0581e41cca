/** From the plan of a rotation to that of a recovery, for the day when nobody has the key any more. */
import { dirname, resolve } from 'node:path';
import { KeyturnError } from '../domain/errors.js';
import type { PlannedRecovery, RotationPlan } from '../domain/plan.js';
import { formatRef } from '../domain/refs.js';
import { METHOD_OF_RECOVERY } from '../runbooks/lost-key/steps.js';
import { recovery } from '../domain/specs/encryption.js';
import { findSecret } from './find.js';
import type { Inventory } from './inventory.js';
import { foldersOfBackups } from './recovery-folders.js';
import { digestOf } from './resolve.js';
import { Resolver } from './resolver.js';
import type { Variables } from './settings.js';

/** @throws KeyturnError `no-runbook` for what is no encryption key, and as resolvePlan. */
export function planRecovery(
  inventory: Inventory,
  plan: RotationPlan,
  { variables, ...offered }: Pick<PlannedRecovery, 'offered' | 'identity' | 'passphrase'> & { variables: Variables },
): RotationPlan {
  if (!plan.encryption) {
    throw new KeyturnError(
      'no-runbook',
      `${formatRef(plan.ref)} is no encryption key: there is nothing to recover from`,
      {
        hint: `a lost secret of kind ${plan.kind} is replaced: start its rotation`,
      },
    );
  }
  const found = findSecret(inventory, plan.ref);
  const resolver = new Resolver(found, variables);
  const { unreadable, label, enable, watchEvery, folders } = resolver.settings.fillAll(
    found.secret.encryption?.recovery ?? recovery.parse({}),
  );
  const checks = enable.map((name) => resolver.check(name));
  const decisions = [
    `the key is lost: what can still be read comes over to a fresh one, the rest goes into quarantine${unreadable === 'truncate' ? ', which is destroyed at the end' : ''}`,
    ...(plan.window ? ['no maintenance window is waited for: who approves decides when'] : []),
  ];
  const recovered: RotationPlan = {
    ...plan,
    method: METHOD_OF_RECOVERY,
    window: null,
    decisions,
    recovery: {
      ...{ unreadable, label, enable: checks, watchEvery, ...offered },
      folders: [
        ...foldersOfBackups(inventory, variables),
        ...folders.map((folder) => resolve(dirname(found.system.file), folder)),
      ],
    },
  };
  return { ...recovered, digest: digestOf(recovered) };
}
