/** What may be shown of an exposure's variables. */
import type { Exposure } from '../../domain/slot.js';
import type { VariableKind } from './env-file.js';

/** What the slot's own variable holds: of a pair the user's name. */
export function kindOf(exposure: Exposure): VariableKind {
  return exposure.style === 'pair' ? 'name' : 'secret';
}
