/** Rows that several runbooks have in their step tables. */
import { expiryText } from '../domain/gate.js';
import type { RotationPlan } from '../domain/plan.js';
import { isExposed } from '../domain/reason.js';
import type { GateName } from '../domain/specs/policy.js';
import type { StepRow, Undo } from '../domain/steps.js';

type Row<K extends string> = StepRow<RotationPlan, K>;

/** @param undo where a no comes after the change: `afterChange`. */
export function gateRow<const N extends GateName>(
  name: N,
  what: string,
  { undo, orIfNeeded = false }: { undo?: Row<string>['undo']; orIfNeeded?: boolean } = {},
): Row<`approve-${N}`> {
  return {
    ...gate(`approve-${name}`, name, what),
    when: ({ approval }) => approval.gates.includes(name) || (orIfNeeded && 'if needed'),
    ...(undo === undefined ? {} : { undo }),
  };
}

/** A question that no policy has to ask for. */
export function gate<const K extends string>(key: K, name: string, what: string): Row<K> {
  return {
    key,
    gate: name,
    title: `Approval: ${what}`,
    detail: ({ approval }) => `${approval.approvers} approval(s), ${expiryText(approval)}`,
  };
}

/** Where others may have the old value, only a failure of the change itself brings it back: what follows goes forward. */
export function afterChange({ reason }: Pick<RotationPlan, 'reason'>): Undo {
  return isExposed(reason) ? 'forward' : 'nothing to undo';
}

export function windowRow(more = ''): Row<'window'> {
  return {
    key: 'window',
    title: 'Wait for the maintenance window',
    detail: ({ window }) => (window ? `${window.opens} (${window.timeZone}), open for ${window.stays}${more}` : ''),
    when: ({ window }) => window !== null,
  };
}

/** Before the point of no return, so that this wait can still be cancelled. */
export function windowAgainRow(when: (plan: RotationPlan) => boolean): Row<'window-retire'> {
  return {
    key: 'window-retire',
    title: 'Wait for the maintenance window again',
    detail: 'deploy 3 of 3 begins while it is open',
    when: (plan) => plan.window !== null && when(plan),
    undo: afterChange,
  };
}

/** Looking at the services after the change. */
export function lookingRows(
  verified = 'Verify the flows',
  undo: Row<string>['undo'] = afterChange,
): readonly Row<'verify' | 'watch'>[] {
  return [
    {
      key: 'verify',
      title: verified,
      detail: ({ verify }) => names(verify),
      when: ({ verify }) => verify.length > 0,
      undo,
    },
    {
      key: 'watch',
      title: ({ watch }) => `Watch the monitors for ${watch}`,
      detail: ({ monitors }) => names(monitors),
      when: ({ monitors }) => monitors.length > 0,
      undo,
    },
  ];
}

/**
 * Also where the run that this one finishes ran because others had its old value.
 * @param when in the plan already; else only where the proof fails.
 */
export function takeOnRow(when: (plan: RotationPlan) => boolean = () => false): Row<'take-on'> {
  return {
    ...gate('take-on', 'unproven', 'end without a proof'),
    detail: 'no proof is declared: somebody must take on that nothing shows the old value to be dead',
    when: (plan) => (isExposed(plan.reason) && when(plan)) || 'if needed',
    undo: 'forward',
  };
}

/** Of runbooks that go on with what an ended run had made. */
export const takeOverRow: Row<'settle'> = {
  key: 'settle',
  title: 'Go on from where an earlier run was ended',
  detail: '',
  when: () => 'if needed',
};

export const recordRow: Row<'record'> = {
  key: 'record',
  title: 'Record in the ledger',
  detail: ({ cadence }) => (cadence ? `next rotation due in ${cadence}` : 'no cadence: no next date'),
  undo: 'forward',
};

export function rolloutOf({ services }: Pick<RotationPlan, 'services'>): string {
  return `store, then deploy and health of ${names(services)}`;
}

export function names(things: readonly { name: string }[]): string {
  return things.map(({ name }) => name).join(', ');
}
