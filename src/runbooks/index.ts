/** All runbooks that rotate or recover a secret: the first that carries a plan out is its runbook. */
import { KeyturnError } from '../domain/errors.js';
import { STEERING, UNDOING } from '../domain/messages.js';
import type { RotationPlan } from '../domain/plan.js';
import { formatRef, type SecretRef } from '../domain/refs.js';
import { SECRET_KINDS, type SecretKind } from '../domain/specs/secret.js';
import { outlineOf, type StepOutline } from '../domain/steps.js';
import { isSwap, PASSWORD_STEPS, SWAP_STEPS } from './database-swap/steps.js';
import { ATOMIC_STEPS, isEncryption, ONLINE_STEPS } from './encryption/steps.js';
import { isRecovery, RECOVERY_STEPS } from './lost-key/steps.js';
import type { Runbook } from './runbook.js';
import { SESSION_STEPS } from './session/steps.js';

export const RUNBOOKS: readonly Runbook[] = [
  {
    workflow: 'recoverLostKey',
    page: 'recover-lost-key',
    kinds: [],
    carriesOut: isRecovery,
    steps: (plan) => (isRecovery(plan) ? outlineOf(RECOVERY_STEPS, plan) : []),
    steering: UNDOING,
  },
  {
    workflow: 'rotateEncryptionKey',
    page: 'rotate-encryption-key',
    kinds: ['encryption'],
    carriesOut: isEncryption,
    steps: (plan) =>
      isEncryption(plan) ? outlineOf(plan.encryption.mode === 'atomic' ? ATOMIC_STEPS : ONLINE_STEPS, plan) : [],
    steering: UNDOING,
  },
  {
    workflow: 'swapDatabaseCredential',
    page: 'swap-database-credential',
    kinds: ['database'],
    carriesOut: isSwap,
    steps: (plan) =>
      isSwap(plan) ? outlineOf(plan.swap.strategy === 'same-role' ? PASSWORD_STEPS : SWAP_STEPS, plan) : [],
    steering: STEERING,
  },
  {
    workflow: 'rotateSessionSecret',
    page: 'rotate-session-secret',
    kinds: ['session', 'signing', 'token'],
    carriesOut: (plan) => !isSwap(plan) && !isEncryption(plan),
    steps: (plan) => outlineOf(SESSION_STEPS, plan),
    steering: UNDOING,
  },
];

/** What rotates a secret of this kind. @throws KeyturnError `no-runbook`: this version has none. */
export function runbookFor(kind: SecretKind, ref: SecretRef): Runbook {
  const found = of(kind);
  if (found) return found;
  throw new KeyturnError(
    'no-runbook',
    `this version has no runbook for secrets of kind "${kind}" (${formatRef(ref)})`,
    {
      hint: `it rotates kinds ${listed(SECRET_KINDS.filter((one) => of(one) !== undefined))}; carry this one out by hand, as its own runbook says`,
    },
  );
}

export function runbookOf(plan: RotationPlan): Runbook {
  const found = RUNBOOKS.find((runbook) => runbook.carriesOut(plan));
  // The last one carries out whatever the others do not.
  if (!found) throw new Error(`no runbook carries out a plan of kind ${plan.kind}`);
  return found;
}

/** The steps that a plan surely comes to, as `keyturn plan` shows them. */
export function foreseenSteps(plan: RotationPlan): StepOutline[] {
  return runbookOf(plan)
    .steps(plan)
    .filter(({ ifNeeded }) => !ifNeeded);
}

function of(kind: SecretKind): Runbook | undefined {
  return RUNBOOKS.find(({ kinds }) => kinds.includes(kind));
}

function listed(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}
