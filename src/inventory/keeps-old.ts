/** Which reasons leave the old value in use for a while: an overlap, or the delay before a role is dropped. */
import { isExposed, type Reason } from '../domain/reason.js';
import type { MergedSecret } from './merge.js';

export const REASON_IN_WORDS: Readonly<Record<Reason, string>> = {
  routine: 'the rotation is routine',
  leak: 'the reason is a leak',
  leaver: 'somebody with access leaves',
  suspicion: 'unauthorised access is suspected',
};

/** Somebody who leaves knows the value: it is kept for users' sake only where the inventory says so. */
export function keepsOld({ leaver }: Pick<MergedSecret, 'leaver'>, reason: Reason): boolean {
  return !isExposed(reason) && (reason !== 'leaver' || leaver === 'as-routine');
}
