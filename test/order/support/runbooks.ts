/** Every runbook that is taken through the matrix. A new one names itself here, and gets all of it. */
import { BACKUP_WORKFLOW_TYPE, RECOVER_WORKFLOW_TYPE } from '../../../src/domain/messages.js';
import { backupWorkflowId, type BackupPlan } from '../../../src/domain/backup.js';
import { outlineOf, type StepOutline } from '../../../src/domain/steps.js';
import { BACKUP_STEPS } from '../../../src/runbooks/backup/steps.js';
import { foreseenSteps } from '../../../src/runbooks/index.js';
import type { RotationPlan } from '../../../src/domain/plan.js';
import type { Reason } from '../../../src/domain/reason.js';
import { rotationWorkflowId } from '../../../src/domain/refs.js';
import { backupPlan, encryption, plan, recovery, swap } from './plans.js';
import { LOST } from './world/state.js';
import type { Given, Kind } from './world/world.js';

export interface Runbook {
  readonly name: string;
  /** The workflow type. */
  readonly type: string;
  readonly reasons: readonly Reason[];
  readonly kind: Kind;
  readonly plan: (secret: string, taskQueue: string) => RotationPlan;
  /** Default: one of the first value's. */
  readonly begins?: Given['begins'];
  /** It changes no value: no store, no services, and its steps are a backup's. */
  readonly backup?: true;
}

const BOTH: readonly Reason[] = ['routine', 'leak'];

export const RUNBOOKS: readonly Runbook[] = [
  {
    name: 'session secret, replaced',
    type: 'rotateSessionSecret',
    reasons: BOTH,
    kind: 'replaced',
    plan: (...named) => plan(...named, { overlap: null, method: 'replace' }),
  },
  {
    name: 'session secret, with overlap',
    type: 'rotateSessionSecret',
    // After a leak no plan has an overlap.
    reasons: ['routine'],
    kind: 'overlapping',
    plan: (...named) => plan(...named),
  },
  {
    name: 'database credential, copy',
    type: 'swapDatabaseCredential',
    reasons: BOTH,
    kind: 'credential',
    plan: (...named) =>
      plan(...named, {
        kind: 'database',
        overlap: null,
        proof: null,
        revocation: null,
        swap: swap({ strategy: 'copy' }),
      }),
  },
  {
    name: 'database credential, group of its first generation',
    type: 'swapDatabaseCredential',
    reasons: ['routine'],
    kind: 'credential',
    plan: (...named) =>
      plan(...named, {
        kind: 'database',
        overlap: null,
        proof: null,
        revocation: null,
        swap: swap({ strategy: 'group' }),
      }),
  },
  {
    name: 'database password in place',
    type: 'swapDatabaseCredential',
    reasons: BOTH,
    kind: 'password in place',
    plan: (...named) =>
      plan(...named, {
        kind: 'database',
        overlap: null,
        proof: null,
        revocation: null,
        swap: swap({ strategy: 'same-role', newRole: null }),
      }),
  },
  {
    name: 'encryption key, in one transaction',
    type: 'rotateEncryptionKey',
    reasons: BOTH,
    kind: 'key',
    plan: (...named) =>
      plan(...named, {
        kind: 'encryption',
        overlap: null,
        proof: null,
        revocation: null,
        encryption: encryption('atomic'),
      }),
  },
  {
    name: 'encryption key, online',
    type: 'rotateEncryptionKey',
    reasons: BOTH,
    kind: 'key',
    plan: (...named) =>
      plan(...named, {
        kind: 'encryption',
        overlap: null,
        proof: null,
        revocation: null,
        encryption: encryption('online'),
      }),
  },
  {
    name: 'encryption key, lost',
    type: RECOVER_WORKFLOW_TYPE,
    reasons: ['routine'],
    kind: 'key',
    plan: (...named) =>
      plan(...named, {
        kind: 'encryption',
        overlap: null,
        proof: null,
        revocation: null,
        encryption: encryption('atomic'),
        recovery,
      }),
    begins: ({ rows }) => void rows.push({ plain: 'lost 1', key: LOST }, { plain: 'lost 2', key: LOST }),
  },
  {
    name: 'backup',
    type: BACKUP_WORKFLOW_TYPE,
    reasons: ['routine'],
    kind: 'none',
    plan: (...named) => plan(...named),
    backup: true,
  },
];

export function workflowIdOf(runbook: Runbook, { ref }: RotationPlan, { ref: backup }: BackupPlan): string {
  return runbook.backup ? backupWorkflowId(backup) : rotationWorkflowId(ref);
}

export function inputOf(runbook: Runbook, { ref }: RotationPlan, { ref: backup }: BackupPlan, reason: Reason): object {
  const operator = 'ana@example.test';
  return runbook.backup ? { ...backup, operator } : { ...ref, operator, reason };
}

export function outlineFor(runbook: Runbook, rotation: RotationPlan): StepOutline[] {
  return runbook.backup ? outlineOf(BACKUP_STEPS, backupPlan(rotation)) : foreseenSteps(rotation);
}
