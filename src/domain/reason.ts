/** Why a secret is rotated, and what that allows (documents 000 to 003). */
export const REASONS = ['routine', 'leak', 'leaver', 'suspicion'] as const;
export type Reason = (typeof REASONS)[number];

/**
 * Whether somebody else may have the value in use. Documents 000 to 003 say the same of a leak and of a suspicion: nothing is waited
 * for, nobody is spared, and what may be known to others does not come back because something beside it failed.
 */
export function isExposed(reason: Reason): boolean {
  return reason === 'leak' || reason === 'suspicion';
}

const KNOWN: Readonly<Record<Exclude<Reason, 'routine'>, string>> = {
  leak: 'the leaked value',
  leaver: 'the value that the leaver knows',
  suspicion: 'the value that others may have',
};

/** As a person calls the value in use that somebody has, or may have, who should not. */
export function exposedValue(reason: Exclude<Reason, 'routine'>): string {
  return KNOWN[reason];
}
