/**
 * What the reason for a rotation changes for a database credential. Document 003: the old user is dropped after a verification
 * delay of 24 h; after a compromise the affected credential is revoked immediately. Document 002: rotate a leaked one at once.
 */
import { isExposed, type Reason } from '../domain/reason.js';
import type { FoundSecret } from './find.js';
import { keepsOld, REASON_IN_WORDS } from './keeps-old.js';
import type { MergedSecret, MergedSwap } from './merge.js';

export function swapInWords({ environment, secret }: FoundSecret, reason: Reason): (string | false)[] {
  const { swap } = secret;
  if (!swap?.strategy) return [];
  const drop = secret.approval.gates.includes('drop');
  const development = environment.tier === 'development';
  if (swap.strategy === 'same-role') {
    return [
      'the user name stays: between the new password and the deploy, new connections are refused; open ones go on',
      'sessions opened with the old password are ended',
    ];
  }
  return [
    waitInWords(secret, swap, reason),
    STRATEGY_IN_WORDS[swap.strategy],
    isExposed(reason) && drop && `${REASON_IN_WORDS[reason]}: the drop is not waited for by a gate`,
    !isExposed(reason) &&
      !drop &&
      !development &&
      'no gate "drop": the old role is dropped without a decision once nobody is on it',
  ];
}

const STRATEGY_IN_WORDS = {
  group: 'the rights stay on a group that cannot log in; the new role acts as it',
  copy: 'the new role gets a copy of every right, and owns at the end what the old one owned',
} as const;

function waitInWords(secret: MergedSecret, { delay }: MergedSwap, reason: Reason): string {
  const why = REASON_IN_WORDS[reason];
  if (isExposed(reason)) return `${why}: the old role is shut out and its sessions ended at once, then dropped`;
  if (!keepsOld(secret, reason)) return `${why}: the old role is dropped as soon as nobody is on it`;
  return `the old role is kept for ${delay} after the last environment was well, then dropped`;
}
