/** How a value is written: the style it had if that can carry the new value, else the first that can. */
import type { QuoteStyle } from './document.js';

/** Single quotes come first: only there `$` is literal to Docker Compose and to bash. */
const STYLES = ['single', 'double', 'none'] as const;

/** Letters and digits of any script, and what neither a shell nor a parser gives a meaning inside a word. */
const SAFE_BARE = /^[\p{L}\p{N}_.,:/@%+=^-]*$/u;

/** @returns ways to write `value`, best first; none may be right: the readers decide (agreement.ts). */
export function waysToWrite(value: string, existing: QuoteStyle): readonly string[] {
  // Control characters other than tab and newline, and halves of surrogate pairs, survive in no two readers alike.
  if (/[^\P{Cc}\t\n]/u.test(value) || /\p{Surrogate}/u.test(value)) return [];
  const styles = existing === 'backtick' ? STYLES : [existing, ...STYLES.filter((style) => style !== existing)];
  return styles.flatMap((style) => write(value, style) ?? []);
}

function write(value: string, style: QuoteStyle): string | undefined {
  if (style === 'single') return value.includes("'") ? undefined : `'${value}'`;
  if (style === 'double') return /["\\$`]/.test(value) ? undefined : `"${value}"`;
  return style === 'none' && SAFE_BARE.test(value) ? value : undefined;
}
