/**
 * The steps of `recoverLostKey`, in order, for one plan; the workflow of the same name carries them out.
 * Source: document 004, "What Happens if CREDENTIAL_ENCRYPTION_KEY Is Lost".
 */
import { nameOfColumn } from './encryption-runbook.js';
import { expiryText } from './gate.js';
import type { StepOutline } from './outline.js';
import type { PlannedEncryption, PlannedRecovery, RotationPlan } from './plan.js';

/** For the ledger. */
export const METHOD_OF_RECOVERY = 'recover lost key';

export function outlineRecovery(
  plan: RotationPlan,
  { columns, backups }: PlannedEncryption,
  { unreadable, enable }: PlannedRecovery,
): StepOutline[] {
  const { approval, slot, generator, verify, monitors, watch } = plan;
  const services = names(plan.services);
  const destroys = unreadable === 'truncate';
  const protectedColumns = columns.map(nameOfColumn).join(', ');
  const all: (StepOutline | false)[] = [
    step(
      'prepare',
      'Prove that the key is lost',
      `each row of ${protectedColumns} under the store's keys and those of the backups; nothing is changed`,
    ),
    step(
      'approve-recover',
      destroys ? 'Approval: destroy what no key reads' : 'Approval: move what no key reads',
      `${approval.approvers} approval(s), ${expiryText(approval)}`,
    ),
    step('stage', 'Stage a new key', `${generator} for ${slot.key}`, 'undone on failure'),
    backups.length > 0 &&
      step('back-up', 'Back up the new key', `in ${backups.join(', ')}, proven by a restore: it is not lost again`),
    step('stop', 'Stop the services', `${services}, those that can be stopped`, 'undone on failure'),
    step(
      'recover',
      'Re-encrypt what can be read, move the rest to quarantine',
      'in one transaction; undone, the rows are taken back out of the quarantine',
      'undone on failure',
    ),
    step(
      'switch',
      'Start the services with the new key',
      `store, then deploy and health of ${services}`,
      'undone on failure',
    ),
    step('sweep-again', 'Look for rows written meanwhile', 'by a service that was not stopped'),
    verify.length > 0 && step('verify', 'Verify that the application decrypts', names(verify)),
    monitors.length > 0 && step('watch', `Watch the monitors for ${watch}`, names(monitors)),
    step(
      'reenter',
      'Credentials are entered again',
      'each row of the quarantine; from here on nothing is undone',
      'forward',
    ),
    enable.length > 0 && step('enable', 'Switch features on again', names(enable), 'forward'),
    step(
      'prove',
      'Prove that no row needs the old key',
      'each is read under the new key alone, none under the old',
      'forward',
    ),
    destroys &&
      step('destroy', 'Destroy what no key reads', 'the quarantine is dropped: its rows are gone for good', 'forward'),
    step(
      'forget',
      'Destroy the old key',
      `the previous version leaves the store${destroys ? '' : '; the quarantine stays'}`,
      'forward',
    ),
    step(
      'record',
      'Record in the ledger',
      plan.cadence ? `next rotation due in ${plan.cadence}` : 'no cadence: no next date',
      'forward',
    ),
  ];
  return all.filter((one) => one !== false);
}

function step(key: string, title: string, detail: string, undo: StepOutline['undo'] = 'nothing to undo'): StepOutline {
  return { key, title, detail, undo };
}

function names(things: readonly { name: string }[]): string {
  return things.map(({ name }) => name).join(', ');
}
