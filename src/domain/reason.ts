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

/** As a person calls the value in use of an exposed secret. */
export function exposedValue(reason: Reason): string {
  return reason === 'leak' ? 'the leaked value' : 'the value that others may have';
}
