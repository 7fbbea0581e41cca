/**
 * The steps of `recoverLostKey`, in order; the workflow of the same name carries them out.
 * Source: document 004, "What Happens if CREDENTIAL_ENCRYPTION_KEY Is Lost".
 */
import type { PlannedRecovery, RotationPlan } from '../../domain/plan.js';
import { stepTable } from '../../domain/steps.js';
import { backUpKeyRow, isEncryption, nameOfColumn, stageKeyRow, type EncryptionPlan } from '../encryption/steps.js';
import { deniedGate, lookingRows, names, recordRow, rolloutOf, endUnprovenRow, takeOverRow } from '../rows.js';

/** For the ledger. */
export const METHOD_OF_RECOVERY = 'recover lost key';

export type RecoveryPlan = EncryptionPlan & { readonly recovery: PlannedRecovery };

export function isRecovery(plan: RotationPlan): plan is RecoveryPlan {
  return isEncryption(plan) && plan.recovery !== undefined;
}

const destroys = ({ recovery }: RecoveryPlan): boolean => recovery.unreadable === 'truncate';

export const RECOVERY_STEPS = stepTable<RecoveryPlan>()([
  {
    key: 'prepare',
    title: 'Prove that the key is lost',
    detail: ({ encryption }) =>
      `each row of ${encryption.columns.map(nameOfColumn).join(', ')} under the store's keys and those of the backups; nothing is changed`,
  },
  takeOverRow,
  {
    ...deniedGate('approve-recover', 'recover', ''),
    title: (plan) => (destroys(plan) ? 'Approval: destroy what no key reads' : 'Approval: move what no key reads'),
  },
  stageKeyRow,
  backUpKeyRow('it is not lost again'),
  {
    key: 'stop',
    title: 'Stop the services',
    detail: ({ services }) => `${names(services)}, those that can be stopped`,
    undo: 'undone on failure',
    begins: 'change',
  },
  {
    key: 'recover',
    title: 'Re-encrypt what can be read, move the rest to quarantine',
    detail: 'in one transaction; undone, the rows are taken back out of the quarantine',
    undo: 'undone on failure',
  },
  {
    key: 'switch',
    title: 'Start the services with the new key',
    detail: rolloutOf,
    undo: 'undone on failure',
  },
  {
    key: 'sweep-again',
    title: 'Look for rows written meanwhile',
    detail: 'by a service that was not stopped',
  },
  ...lookingRows('Verify that the application decrypts', 'nothing to undo'),
  {
    key: 'reenter',
    title: 'Credentials are entered again',
    detail: 'each row of the quarantine; from here on nothing is undone',
    undo: 'forward',
  },
  {
    key: 'enable',
    title: 'Switch features on again',
    detail: ({ recovery }) => names(recovery.enable),
    when: ({ recovery }) => recovery.enable.length > 0,
    undo: 'forward',
  },
  {
    key: 'prove',
    title: 'Prove that no row needs the old key',
    detail: 'each is read under the new key alone, none under the old',
    undo: 'forward',
  },
  endUnprovenRow(),
  {
    key: 'destroy',
    title: 'Destroy what no key reads',
    detail: 'the quarantine is dropped: its rows are gone for good',
    when: destroys,
    undo: 'forward',
  },
  {
    key: 'forget',
    title: 'Destroy the old key',
    detail: (plan) => `the previous version leaves the store${destroys(plan) ? '' : '; the quarantine stays'}`,
    undo: 'forward',
  },
  recordRow,
]);
