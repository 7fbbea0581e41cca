/** One value in two variables, user and password of a database (`pair-value.ts`): they are read and written together. */
import type { Arrangement } from '../../domain/slot.js';
import { pairText, parsePair } from '../pair-value.js';
import { secondName } from '../versions/arrangements.js';
import type { Entry } from '../versions/sidecar.js';
import { requireVariable, withText, type EnvFile } from './env-file.js';
import { writeValue } from './write-value.js';

export function readPair(file: EnvFile, key: string, variable: string): string {
  return pairText(requireVariable(file, key, 'name').value, requireVariable(file, variable).value);
}

/** Both variables in one text: the file that holds it is replaced at once. */
export function writePair(file: EnvFile, entry: Entry, arrangement: Arrangement): string {
  const variable = secondName(entry.exposure) ?? '';
  const [user, password] = parsePair(arrangement === 'new only' ? entry.new : entry.old);
  const withUser = writeValue(file, entry.key, user, entry.original, 'name');
  return writeValue(withText(file, withUser), variable, password, entry.second);
}
