/**
 * The steps of `rotateSessionSecret`, in order, for one plan: what the checklist shows as still to come and what
 * `keyturn plan` prints. The workflow of the same name carries them out.
 * Sources: documents 000 (replace, revoke sessions), 001 (overlap, 24 h), 002 (verify log-in, refresh, impersonation).
 */
import { formatMilliseconds, milliseconds } from './durations.js';
import { expiryText } from './gate.js';
import type { StepOutline } from './outline.js';
import type { RotationPlan } from './plan.js';
import { isExposed } from './reason.js';
import type { OverlapSpec } from './specs/secret.js';

/** The longest a token signed with the old value can still be in use after every instance signs with the new one. */
export function overlapMilliseconds(overlap: OverlapSpec): number {
  return milliseconds(overlap.tokenLifetime) + milliseconds(overlap.skew);
}

interface Signing {
  readonly kind: RotationPlan['kind'];
  readonly overlap: object | null;
  readonly proof: { readonly type: string } | null;
}

/**
 * Whether it can be seen with which of two values the application signs: by signing in, and verifying here what is given.
 * null: it is no question, as of a token that is presented as it is.
 */
export function canSeeWhoSigns({ kind, overlap, proof }: Signing): boolean | null {
  if (!overlap) return null;
  if (proof && proof.type !== 'value') return true;
  return kind === 'token' ? null : false;
}

/** Where it cannot: for plan, checklist, report and ledger. */
export const SIGNER_NOT_SEEN =
  'not proven: no proof that signs in is declared, so nobody sees with which of the two values the application signs; one that signs with the old one is found out only when that is accepted no more, and then everyone is signed out';

export function outlineSessionRotation(plan: RotationPlan): StepOutline[] {
  const { overlap, approval, slot } = plan;
  const services = plan.services.map((service) => service.name).join(', ');
  const names = (things: readonly { name: string }[]): string => things.map((thing) => thing.name).join(', ');
  const rollout = `store, then deploy and health of ${services}`;
  const all: (StepOutline | false | null)[] = [
    {
      key: 'prepare',
      title: 'Check that everything is ready',
      detail: `store writable, ${services} healthy, ledger reachable; nothing is changed`,
      undo: 'nothing to undo',
    },
    {
      key: 'stage',
      title: 'Stage a new value',
      detail: `${plan.generator} for ${slot.key}`,
      undo: 'undone on failure',
    },
    approval.gates.includes('promote') && {
      key: 'approve-promote',
      title: 'Approval: use the new value',
      detail: `${approval.approvers} approval(s), ${expiryText(approval)}`,
      undo: 'nothing to undo',
    },
    plan.window && {
      key: 'window',
      title: 'Wait for the maintenance window',
      detail: `${plan.window.opens} (${plan.window.timeZone}), open for ${plan.window.stays}; every deploy begins while it is open`,
      undo: 'nothing to undo',
    },
    !overlap && { key: 'switch', title: 'Switch to the new value', detail: rollout, undo: 'undone on failure' },
    overlap && {
      key: 'accept',
      title: 'Deploy 1 of 3: accept the new value',
      detail: rollout,
      undo: 'undone on failure',
    },
    overlap && {
      key: 'sign',
      title: 'Deploy 2 of 3: sign with the new value',
      detail: rollout,
      undo: 'undone on failure',
    },
    canSeeWhoSigns(plan) !== null && {
      key: 'signer',
      title: 'See that what is issued is signed with the new value',
      detail:
        plan.proof && plan.proof.type !== 'value'
          ? `${plan.proof.login}, several times; the signature is verified here`
          : SIGNER_NOT_SEEN,
      undo: 'nothing to undo',
    },
    plan.revocation && {
      key: 'revoke',
      title: 'End all sessions',
      detail: 'counted before and after',
      undo: 'nothing to undo',
    },
    plan.verify.length > 0 && {
      key: 'verify',
      title: 'Verify the flows',
      detail: names(plan.verify),
      undo: 'nothing to undo',
    },
    plan.monitors.length > 0 && {
      key: 'watch',
      title: `Watch the monitors for ${plan.watch}`,
      detail: names(plan.monitors),
      undo: 'nothing to undo',
    },
    overlap && {
      key: 'expire',
      title: 'Wait until everything signed with the old value has expired',
      detail: `${formatMilliseconds(overlapMilliseconds(overlap))} after deploy 2 (token lifetime and clock skew)`,
      undo: 'nothing to undo',
    },
    approval.gates.includes('retire') && {
      key: 'approve-retire',
      title: 'Approval: stop accepting the old value',
      detail: `${approval.approvers} approval(s), ${expiryText(approval)}`,
      undo: 'nothing to undo',
    },
    // Before the point of no return, so that this wait can still be cancelled.
    overlap &&
      plan.window && {
        key: 'window-retire',
        title: 'Wait for the maintenance window again',
        detail: 'deploy 3 of 3 begins while it is open',
        undo: 'nothing to undo',
      },
    overlap && {
      key: 'retire',
      title: 'Deploy 3 of 3: stop accepting the old value',
      detail: rollout,
      undo: 'forward',
    },
    plan.proof && {
      key: 'prove',
      title: 'Prove that the old value is refused',
      detail: `${plan.proof.type}: made with the old value it must be refused, with the new one accepted`,
      undo: 'forward',
    },
    !plan.proof &&
      isExposed(plan.reason) && {
        key: 'take-on',
        title: 'Approval: end without a proof',
        detail: 'no proof is declared: somebody must take on that nothing shows the old value to be dead',
        undo: 'forward',
      },
    {
      key: 'forget',
      title: 'Destroy the old value',
      detail: 'the previous version leaves the store',
      undo: 'forward',
    },
    { key: 'record', title: 'Record in the ledger', detail: dueText(plan), undo: 'forward' },
  ];
  return all.filter((step): step is StepOutline => Boolean(step));
}

function dueText(plan: RotationPlan): string {
  return plan.cadence ? `next rotation due in ${plan.cadence}` : 'no cadence: no next date';
}
