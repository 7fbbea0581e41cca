/**
 * The steps of `swapDatabaseCredential`, in order, for one plan; the workflow of the same name carries them out.
 * Sources: documents 003 (new user with the same grants, staging, production, 24 h, drop), 001 (create, test, deploy, health,
 * revoke), 000 and 002 (a password in place, for a user name that is fixed).
 */
import { milliseconds } from './durations.js';
import { expiryText } from './gate.js';
import type { StepOutline } from './outline.js';
import type { PlannedSwap, RotationPlan } from './plan.js';
import { isExposed } from './reason.js';
import type { GateName } from './specs/policy.js';

export function outlineSwap(plan: RotationPlan, swap: PlannedSwap): StepOutline[] {
  const steps = swap.strategy === 'same-role' ? newPassword(plan) : newRole(plan, swap);
  const all = [...steps, step('record', 'Record in the ledger', dueText(plan), 'forward')];
  return all.filter((one): one is StepOutline => one !== null);
}

type Step = StepOutline | null;

/** Steps that name the new role: a run that goes on from another one's finds that one's. */
export function titlesOf(role: string): Readonly<Record<'create' | 'prove-new', string>> {
  return { create: `Create the role ${role}`, 'prove-new': `Prove the role ${role}` };
}

function newRole(plan: RotationPlan, swap: PlannedSwap): Step[] {
  const { role, nodes } = namesOf(swap);
  const titles = titlesOf(role);
  const exposed = isExposed(plan.reason);
  const group = swap.group ?? 'the role in use, which becomes a group';
  const how = swap.strategy === 'group' ? `member of ${group}` : 'a copy of every right, in every database';
  const shutOut = [
    step(
      'disable',
      'Shut the old role out',
      'NOLOGIN: open sessions go on, new ones are refused',
      exposed ? 'forward' : 'undone on failure',
    ),
    exposed
      ? null
      : step(
          'observe',
          `Watch for rejected log-ins for ${swap.observe}`,
          'whoever still needs the old role is refused now',
        ),
    step('terminate', 'End the sessions that are left', `on ${nodes}`, exposed ? 'forward' : 'nothing to undo'),
  ];
  return [
    ...beginning(plan, swap),
    step('create', titles.create, how, 'undone on failure'),
    step('prove-new', titles['prove-new'], `log in on ${nodes}, compare all rights, write and roll back`),
    ...switching(plan),
    ...(exposed
      ? [
          ...shutOut,
          ...looking(plan),
          step('recompare', 'Compare the rights again', 'what was granted or created meanwhile is carried over'),
        ]
      : [
          ...looking(plan),
          step('delay', `Keep the old role for ${swap.delay}`, `who still uses it is asked every ${swap.watchEvery}`),
          // To the new role, which goes as a whole if the run goes back.
          step('recompare', 'Compare the rights again', 'what was granted or created meanwhile is carried over'),
          step(
            'stragglers',
            'See that nobody is on the old role',
            `on ${nodes}; else people decide: end them, wait on, or abort`,
          ),
          gate(plan, 'drop', 'drop the old role'),
          ...shutOut,
        ]),
    step('drop', 'Drop the old role', 'reassign, revoke, drop in every database that depends on it', 'forward'),
    step('prove', 'Prove that the old role is refused', `log in with it on ${nodes}`, 'forward'),
    step('forget', 'Destroy the old credential', 'the previous version leaves the store', 'forward'),
  ];
}

function newPassword(plan: RotationPlan): Step[] {
  const { swap } = plan;
  const before = 'those that were opened before the change';
  const terminate = step('terminate', 'End the sessions of the old password', before, 'forward');
  return [
    ...(swap ? beginning(plan, swap) : []),
    ...switching(plan),
    ...(isExposed(plan.reason)
      ? [terminate, ...looking(plan)]
      : [...looking(plan), gate(plan, 'drop', 'end the sessions of the old password, for good'), terminate]),
    step('prove', 'Prove that the old password is refused', 'log in with it, and with the new one', 'forward'),
    step('forget', 'Destroy the old password', 'the previous version leaves the store', 'forward'),
  ];
}

function beginning(plan: RotationPlan, swap: PlannedSwap): Step[] {
  return [
    step(
      'prepare',
      'Check that everything is ready',
      `administrator's rights, ${namesOf(swap).nodes}, store, ${servicesOf(plan)}, ledger; nothing is changed`,
    ),
    gate(plan, 'wave', `begin in ${plan.ref.environment}`),
    step(
      'stage',
      'Stage a new credential',
      `password by ${plan.generator}, in the store before the server knows it`,
      'undone on failure',
    ),
  ];
}

function switching(plan: RotationPlan): Step[] {
  const { window, swap } = plan;
  const inPlace = swap?.strategy === 'same-role' ? 'store, new password on the server' : 'store';
  return [
    gate(plan, 'promote', 'use the new credential'),
    window &&
      step(
        'window',
        'Wait for the maintenance window',
        `${window.opens} (${window.timeZone}), open for ${window.stays}`,
      ),
    step(
      'switch',
      'Switch to the new credential',
      `${inPlace}, then deploy and health of ${servicesOf(plan)}`,
      'undone on failure',
    ),
  ];
}

function looking({ verify, monitors, watch }: RotationPlan): Step[] {
  return [
    verify.length > 0 ? step('verify', 'Verify the flows', names(verify)) : null,
    monitors.length > 0 ? step('watch', `Watch the monitors for ${watch}`, names(monitors)) : null,
  ];
}

function step(key: string, title: string, detail: string, undo: StepOutline['undo'] = 'nothing to undo'): StepOutline {
  return { key, title, detail, undo };
}

function gate({ approval }: RotationPlan, name: GateName, what: string): Step {
  if (!approval.gates.includes(name)) return null;
  return step(`approve-${name}`, `Approval: ${what}`, `${approval.approvers} approval(s), ${expiryText(approval)}`);
}

function namesOf({ newRole, server }: PlannedSwap): { role: string; nodes: string } {
  return { role: newRole ?? '', nodes: ['primary', ...server.replicas.map(({ name }) => name)].join(', ') };
}

function servicesOf({ services }: RotationPlan): string {
  return names(services);
}

function names(things: readonly { name: string }[]): string {
  return things.map(({ name }) => name).join(', ');
}

function dueText({ cadence }: RotationPlan): string {
  return cadence ? `next rotation due in ${cadence}` : 'no cadence: no next date';
}

/** What a plan's old role is kept for, milliseconds. */
export function delayOf({ delay }: PlannedSwap): number {
  return milliseconds(delay);
}
