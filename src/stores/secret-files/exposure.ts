/**
 * What a directory of secrets shows the application, and which files are to be written for each arrangement
 * (versions/arrangements.ts): of `previous` and `pair` the second is a file of its own.
 *
 * Two files cannot be replaced in one instant. They are written in an order in which what lies between always shows the old
 * value alone: on the way to the new one the second file comes first, on the way back it comes last. Services read their files
 * when they start, and a deploy follows the change; so what lies between counts only for one that starts in that very moment.
 * It is told apart from a person's edit, and a repeated call finishes it.
 */
import { join } from 'node:path';
import { KeyturnError } from '../../domain/errors.js';
import type { Arrangement, SecretSlot } from '../../domain/slot.js';
import { pairText, parsePair } from '../pair-value.js';
import { partOf } from '../parts/part.js';
import {
  arrangementOf,
  assertShowable,
  assertTwoNames,
  secondName,
  secondWith,
  shownIn,
  wantedFor,
  wholeWith,
  type Shown,
  type ShownPlace,
} from '../versions/arrangements.js';
import type { FileChange } from '../versions/medium.js';
import type { Entry } from '../versions/sidecar.js';
import { findFile, requireFile, type DirectoryLook } from './directory.js';
import { assertOneReading, meet, problemWithText, type SecretFile } from './secret-file.js';

/** @throws KeyturnError `not-found`, `malformed`. */
export function readShown(look: DirectoryLook, place: ShownPlace): Shown {
  assertTwoNames(place);
  const { key, part, exposure } = place;
  const main = requireFile(look, key);
  if (!part) assertOneReading(main);
  meet(main.text, exposure.style === 'pair' ? 'name' : 'secret');
  const second = secondName(exposure);
  if (exposure.style !== 'pair') {
    const other = second === undefined ? undefined : findFile(look, second);
    meet(other?.text ?? '', 'secret');
    return shownIn(place, main.text, other?.text);
  }
  const password = requireFile(look, exposure.variable);
  assertOneReading(password);
  meet(password.text, 'secret');
  return { values: [pairText(main.text, password.text)], second: undefined };
}

export function remember(look: DirectoryLook, { key, part, exposure }: SecretSlot): Pick<Entry, 'original' | 'second'> {
  const { text } = requireFile(look, key);
  const place = partOf(part).locate(text);
  const second = secondName(exposure);
  const other = second === undefined ? undefined : findFile(look, second);
  return {
    original: { raw: text, value: text, piece: text.slice(place.start, place.end) },
    second: other ? { raw: other.text, value: other.text } : null,
  };
}

/** @throws KeyturnError `unrepresentable` when not every program would read it back identically. */
export function changesFor(look: DirectoryLook, entry: Entry, arrangement: Arrangement): readonly FileChange[] {
  assertShowable(entry, arrangement);
  const main = requireFile(look, entry.key);
  const texts = entry.exposure.style === 'pair' ? textsOfPair(entry, arrangement) : textsOf(entry, arrangement, main);
  assertReadsBack(look, entry, arrangement, texts);
  const own = changeOf(look, entry.key, texts.main, main);
  const second = secondName(entry.exposure);
  if (second === undefined) return [own];
  const other = changeOf(look, second, texts.second, main);
  return arrangement.startsWith('new') ? [other, own] : [own, other];
}

/** The first file as under an `old…` arrangement, the second as under a `new…` one. */
export function between({ values: [now = ''], second }: Shown, entry: Entry): Arrangement | undefined {
  const { exposure, old } = entry;
  if (exposure.style === 'pair') {
    const [user] = parsePair(old);
    const [, password] = parsePair(entry.new);
    return now === pairText(user, password) ? 'new only' : undefined;
  }
  if (exposure.style !== 'previous' || now !== old) return undefined;
  const emptied = second === '' && entry.second !== null && entry.second.value !== '';
  // Named so that neither version may be destroyed: somebody may have been shown the new one before.
  return second === old || emptied ? 'old, accept new' : undefined;
}

interface Texts {
  readonly main: string;
  /** null: there is to be none. */
  readonly second: string | null;
}

function textsOf(entry: Entry, arrangement: Arrangement, now: SecretFile): Texts {
  const { values, second } = wantedFor(entry, arrangement);
  const main = wholeWith(entry, now.text, values);
  return { main, second: secondWith(entry, main, second) };
}

function textsOfPair(entry: Entry, arrangement: Arrangement): Texts {
  const [main, second] = parsePair(arrangement === 'new only' ? entry.new : entry.old);
  return { main, second };
}

function changeOf(look: DirectoryLook, name: string, text: string | null, like: SecretFile): FileChange {
  const file = findFile(look, name);
  return {
    path: file?.target.path ?? join(look.directory, name),
    label: name,
    bytes: file?.bytes ?? null,
    content: text === null ? null : Buffer.from(text, 'utf8'),
    // Whoever reads the one must be able to read the other.
    like: like.target.path,
  };
}

/** On paper: what would be written, read as it will be. */
function assertReadsBack(look: DirectoryLook, entry: Entry, arrangement: Arrangement, { main, second }: Texts): void {
  const written = entry.part ? [] : [main, ...(arrangement === 'old only' || second === null ? [] : [second])];
  const problem = written.map((text) => problemWithText(text)).find((found) => found !== undefined);
  if (problem !== undefined) {
    throw new KeyturnError('unrepresentable', `a value of ${entry.key} ${problem}`, {
      hint: 'values made by hex:N, base64:N, base64url:N or fernet can be written everywhere',
    });
  }
  const shown =
    entry.exposure.style === 'pair'
      ? { values: [pairText(main, second ?? '')], second: undefined }
      : shownIn(entry, main, entry.exposure.style === 'previous' ? (second ?? undefined) : undefined);
  if (arrangementOf(shown, entry) === arrangement) return;
  throw new KeyturnError(
    'unrepresentable',
    `${look.directory}: "${arrangement}" of ${entry.key} does not read back as written`,
  );
}
