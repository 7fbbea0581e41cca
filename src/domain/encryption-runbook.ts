/**
 * The steps of `rotateEncryptionKey`, in order, for one plan; the workflow of the same name carries them out.
 * Sources: documents 004 (window, re-encrypt in one transaction, store, restart, health), 000 (the provider keys of
 * INTEGRATION_ENCRYPTION_KEY, and each provider's test after it), 001 (stay able to read the old data; gradual migration).
 */
import { expiryText } from './gate.js';
import type { StepOutline } from './outline.js';
import type { PlannedColumn, PlannedEncryption, RotationPlan } from './plan.js';
import { isExposed } from './reason.js';
import type { GateName } from './specs/policy.js';

type Step = StepOutline | null;

export function outlineEncryption(plan: RotationPlan, encryption: PlannedEncryption): StepOutline[] {
  const steps = encryption.mode === 'atomic' ? atomic(plan, encryption) : online(plan, encryption);
  const all = [
    ...beginning(plan, encryption),
    ...steps,
    step('record', 'Record in the ledger', dueText(plan), 'forward'),
  ];
  return all.filter((one): one is StepOutline => one !== null);
}

/** `api_credentials.encrypted_value`, `app_integrations.settings/tmdb/key`. */
export function nameOfColumn({ table, column, path }: Pick<PlannedColumn, 'table' | 'column' | 'path'>): string {
  return [`${table}.${column}`, ...(path ?? [])].join('/');
}

function atomic(plan: RotationPlan, { columns }: PlannedEncryption): Step[] {
  const services = names(plan.services);
  return [
    step('stop', 'Stop the services', `${services}; whatever fails from here on, they come back`, 'undone on failure'),
    step(
      'reencrypt',
      'Re-encrypt every row',
      `${columnsIn(columns)} in one transaction, each row read again under the new key alone before it is committed`,
      'undone on failure',
    ),
    step(
      'switch',
      'Start the services with the new key',
      `store, then deploy and health of ${services}`,
      'undone on failure',
    ),
    ...looking(plan),
    gate(plan, 'retire', 'destroy the old key'),
    ...ending(),
  ];
}

function online(plan: RotationPlan, { columns }: PlannedEncryption): Step[] {
  const rollout = `store, then deploy and health of ${names(plan.services)}`;
  return [
    step('accept', 'Deploy 1 of 3: read under the new key too', rollout, 'undone on failure'),
    step('sign', 'Deploy 2 of 3: write under the new key', rollout, 'undone on failure'),
    step(
      'reencrypt',
      'Re-encrypt every row',
      `${columnsIn(columns)} in batches, again and again until no row needs the old key`,
      isExposed(plan.reason) ? 'forward' : 'undone on failure',
    ),
    step('verify-rows', 'Read every row under the new key alone', 'by a reader of its own'),
    ...looking(plan),
    gate(plan, 'retire', 'take the old key from the services, and destroy it'),
    plan.window &&
      step('window-retire', 'Wait for the maintenance window again', 'deploy 3 of 3 begins while it is open'),
    step('sweep', 'Look for rows written meanwhile', 'with the old key, by a program that nobody knew of'),
    step('retire', 'Deploy 3 of 3: the new key alone', rollout, 'forward'),
    step('sweep-again', 'Look for rows written during the deploy', 'by whoever had the old key until then', 'forward'),
    ...ending(),
  ];
}

function beginning(plan: RotationPlan, { backups }: PlannedEncryption): Step[] {
  const { window, slot, generator } = plan;
  return [
    step(
      'prepare',
      'Check that everything is ready',
      `columns, rows by state, store, ${names(plan.services)}, ledger; nothing is changed`,
    ),
    step('stage', 'Stage a new key', `${generator} for ${slot.key}`, 'undone on failure'),
    backups.length > 0
      ? step(
          'back-up',
          'Back up the new key',
          `in ${backups.join(', ')}, proven by a restore: no row is under a key that exists once`,
        )
      : null,
    gate(plan, 'promote', 'use the new key'),
    window &&
      step(
        'window',
        'Wait for the maintenance window',
        `${window.opens} (${window.timeZone}), open for ${window.stays}`,
      ),
  ];
}

/** Document 004: verify health; document 000: run each provider's test. */
function looking({ verify, monitors, watch }: RotationPlan): Step[] {
  return [
    verify.length > 0 ? step('verify', 'Verify that the application decrypts', names(verify)) : null,
    monitors.length > 0 ? step('watch', `Watch the monitors for ${watch}`, names(monitors)) : null,
  ];
}

function ending(): Step[] {
  return [
    step(
      'prove',
      'Prove that no row needs the old key',
      'each is read under the new key alone, none under the old',
      'forward',
    ),
    step('forget', 'Destroy the old key', 'the previous version leaves the store', 'forward'),
  ];
}

function step(key: string, title: string, detail: string, undo: StepOutline['undo'] = 'nothing to undo'): StepOutline {
  return { key, title, detail, undo };
}

function gate({ approval }: RotationPlan, name: GateName, what: string): Step {
  if (!approval.gates.includes(name)) return null;
  return step(`approve-${name}`, `Approval: ${what}`, `${approval.approvers} approval(s), ${expiryText(approval)}`);
}

function columnsIn(columns: readonly PlannedColumn[]): string {
  return columns.map(nameOfColumn).join(', ');
}

function names(things: readonly { name: string }[]): string {
  return things.map(({ name }) => name).join(', ');
}

function dueText({ cadence }: RotationPlan): string {
  return cadence ? `next rotation due in ${cadence}` : 'no cadence: no next date';
}
