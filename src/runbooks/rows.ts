/** Rows that several runbooks have in their step tables. */
import { expiryText } from '../domain/gate.js';
import type { RotationPlan } from '../domain/plan.js';
import { isExposed } from '../domain/reason.js';
import type { ApprovalSpec, GateName } from '../domain/specs/policy.js';
import type { StepRow, Undo } from '../domain/steps.js';

type Row<K extends string> = StepRow<RotationPlan, K>;

/** Asked where the policy names it. @param undo where a no comes after the change: `afterChange`. */
export function gateRow<const N extends GateName>(
  name: N,
  what: string,
  undo: NonNullable<Row<string>['undo']> = 'nothing to undo',
): Row<`approve-${N}`> {
  return {
    ...gate(`approve-${name}`, name, what),
    // What no policy foresaw is not answered by a deadline.
    detail: ({ approval }) => decisionOf(approval.gates.includes(name) ? approval : { ...approval, onExpiry: 'deny' }),
    when: ({ approval }) => approval.gates.includes(name),
    undo,
  };
}

/** A question that no policy has to ask for. */
export function gate<const K extends string>(key: K, name: string, what: string): Row<K> {
  return { key, gate: name, title: `Approval: ${what}`, detail: ({ approval }) => decisionOf(approval) };
}

/** The same, where nobody's silence is a yes, whatever the policy says. */
export function deniedGate<const K extends string>(key: K, name: string, what: string): Row<K> {
  return { ...gate(key, name, what), detail: ({ approval }) => decisionOf({ ...approval, onExpiry: 'deny' }) };
}

function decisionOf(approval: ApprovalSpec): string {
  return `${approval.approvers} approval(s), ${expiryText(approval)}`;
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
 * After a leak, where nothing shows the old value to be dead; also where the run that this one finishes was for one.
 * @param undeclared no proof is declared, so the plan knows it already; else it is known once the proof has failed.
 */
export function endUnprovenRow(undeclared: (plan: RotationPlan) => boolean = () => false): Row<'take-on'> {
  const seen = 'nothing has shown the old value to be dead: somebody must take that on';
  const foreseen = 'no proof is declared: somebody must take on that nothing shows the old value to be dead';
  return {
    ...gate('take-on', 'unproven', 'end without a proof'),
    detail: (plan) => (undeclared(plan) ? foreseen : seen),
    when: (plan) => (isExposed(plan.reason) && undeclared(plan)) || 'if needed',
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
