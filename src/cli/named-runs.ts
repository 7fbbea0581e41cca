/** Which workflow ids may be meant by what was typed: a rotation or recovery first, then a backup of that name. */
import { parseBackupSelector } from '../domain/backup.js';
import { parseSelector } from '../domain/refs.js';

/** Takes a run's id too, which is what one copies from the UI. @throws KeyturnError `bad-reference`. */
export function idsOf(text: string): string[] {
  if (/^(?:rotate|backup):/.test(text)) return [text];
  const ids = [named(text, parseSelector, 'rotate:'), named(text, parseBackupSelector, 'backup:')];
  const known = ids.filter((id) => id !== null);
  // The words for what is no name at all.
  if (known.length === 0) parseSelector(text);
  return known;
}

/** As people name it. */
export function refOf(workflowId: string): string {
  return workflowId.replace(/^(?:rotate|backup):/, '');
}

function named(text: string, parse: (text: string) => unknown, prefix: string): string | null {
  try {
    parse(text);
    return `${prefix}${text}`;
  } catch {
    return null;
  }
}
