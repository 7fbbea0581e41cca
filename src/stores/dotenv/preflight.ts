/** What can be found out about an env file before anything is changed. */
import type { Evidence } from '../../domain/evidence.js';
import { namesOf } from '../../domain/place.js';
import type { SecretSlot } from '../../domain/slot.js';
import { assertReplaceable } from '../files/replaceable.js';
import { findVariable, requireVariable, type EnvFile } from './env-file.js';
import { readShown } from './exposure.js';
import { containersOf } from './references.js';
import { BYTE_ORDER_MARK } from './readers/reader.js';
import { secondName } from '../versions/arrangements.js';
import { slotId, type Entry } from '../versions/sidecar.js';
import { kindOf } from './variables.js';

const READABLE_BY_OTHERS = 0o004;

/** @throws KeyturnError `not-found`, `malformed`, `not-writable`. */
export async function preflight(file: EnvFile, slot: SecretSlot, entry: Entry | undefined): Promise<Evidence> {
  const { path, stats, isLink } = file.target;
  const { assignment, passedOver } = requireVariable(file, slot.key, kindOf(slot.exposure));
  const shown = readShown(file, entry ?? slot);
  const secondKey = secondName(slot.exposure);
  const second = secondKey === undefined ? undefined : findVariable(file, secondKey);
  await assertReplaceable(file.target);
  const isPair = slot.exposure.style === 'pair' && second;
  const what = isPair ? `${slotId(slot)} and ${slot.exposure.variable} stand once each` : `${slotId(slot)} stands once`;
  const lines = isPair ? `${assignment.line}, ${second.assignment.line}` : assignment.line;
  const duplicates = duplicatedKeys(file);
  const contained = containersOf(file, namesOf(slot));
  const readableByOthers = (stats.mode & READABLE_BY_OTHERS) !== 0;
  const crlf = file.text.includes('\r\n');
  const remarks = [
    shown.values.length > 1 && `${shown.values.length} values are accepted; the first signs`,
    entry && `rotation ${entry.rotation} has left values beside it`,
    readableByOthers && 'WARNING: every user of the machine can read the file',
    duplicates !== '' && `other keys stand there twice and stay so: ${duplicates}`,
    contained.length > 0 && `changes with it, as it stands in them: ${contained.join(', ')}`,
    ...passedOver.map(({ name, line }) => `${name} cannot read line ${line}, so it is taken not to read this file`),
    crlf && 'CRLF line ends stay; bash cannot source such a file',
  ].filter((remark) => typeof remark === 'string');
  return {
    summary: [`${what} in ${path} (line ${lines}), which can be replaced`, ...remarks].join('; '),
    facts: {
      file: path,
      line: assignment.line,
      quotes: assignment.style,
      exported: assignment.exported,
      mode: (stats.mode & 0o7777).toString(8).padStart(4, '0'),
      owner: stats.uid,
      group: stats.gid,
      symlink: isLink,
      readableByOthers,
      acceptedValues: shown.values.length,
      secondVariable: second !== undefined,
      rotation: entry?.rotation ?? null,
      duplicatesOfOtherKeys: duplicates || null,
      crlf,
      byteOrderMark: file.text.startsWith(BYTE_ORDER_MARK),
    },
  };
}

/** Duplicates of other keys are none of this rotation's business: they stay as they are, and are named. */
function duplicatedKeys(file: EnvFile): string {
  const lines = new Map<string, number[]>();
  for (const { key, line } of file.assignments) lines.set(key, [...(lines.get(key) ?? []), line]);
  return [...lines]
    .filter(([, places]) => places.length > 1)
    .map(([key, places]) => `${key} (lines ${places.join(', ')})`)
    .join(', ');
}
