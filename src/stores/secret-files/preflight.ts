/** What can be found out about a directory of secrets before anything is changed. */
import { lstat, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import type { SecretSlot } from '../../domain/slot.js';
import { isInMemory } from '../files/in-memory.js';
import { probeDirectory } from '../files/replace-file.js';
import { assertReplaceable } from '../files/replaceable.js';
import { secondName } from '../versions/arrangements.js';
import { sidecarPath, slotId, type Entry } from '../versions/sidecar.js';
import { findFile, requireFile, type DirectoryLook } from './directory.js';
import { readShown } from './exposure.js';

const READABLE_BY_OTHERS = 0o004;
const PASSABLE_BY_OTHERS = 0o001;

/** @throws KeyturnError `not-found`, `malformed`, `not-writable`. */
export async function preflight(look: DirectoryLook, slot: SecretSlot, entry: Entry | undefined): Promise<Evidence> {
  const { directory } = look;
  const { target } = requireFile(look, slot.key);
  const shown = readShown(look, entry ?? slot);
  await assertNobodyElseWrites(directory);
  const secondKey = secondName(slot.exposure);
  const second = secondKey === undefined ? undefined : findFile(look, secondKey);
  await assertReplaceable(target);
  if (second) await assertReplaceable(second.target);
  else if (secondKey !== undefined) await probeDirectory(join(directory, secondKey), target.path);
  const sidecar = sidecarPath(directory);
  await probeDirectory(sidecar);
  const isPair = slot.exposure.style === 'pair';
  const others = (await stat(directory)).mode & PASSABLE_BY_OTHERS;
  const readableByOthers = others !== 0 && (target.stats.mode & READABLE_BY_OTHERS) !== 0;
  const inMemory = await isInMemory(dirname(sidecar));
  const remarks = [
    shown.values.length > 1 && `${shown.values.length} values are accepted; the first signs`,
    entry && `rotation ${entry.rotation} has left values beside it`,
    readableByOthers && 'WARNING: every user of the machine can read the file',
    inMemory && `WARNING: ${sidecar} is kept in memory: a staged value is lost when the machine restarts`,
  ].filter((remark) => typeof remark === 'string');
  const what = isPair
    ? `${slotId(slot)} and ${slot.exposure.variable} are files of ${directory} that`
    : `${slotId(slot)} is a file of ${directory} that`;
  return {
    summary: [`${what} can be replaced`, ...remarks].join('; '),
    facts: {
      file: target.path,
      mode: (target.stats.mode & 0o7777).toString(8).padStart(4, '0'),
      owner: target.stats.uid,
      group: target.stats.gid,
      symlink: target.isLink,
      readableByOthers,
      inMemory,
      acceptedValues: shown.values.length,
      secondFile: second !== undefined,
      rotation: entry?.rotation ?? null,
    },
  };
}

/** A node's kubelet (and whatever imitates it) makes such directories anew behind a link, from what the cluster says. */
async function assertNobodyElseWrites(directory: string): Promise<void> {
  const found = await lstat(join(directory, '..data')).catch(() => undefined);
  if (!found?.isSymbolicLink()) return;
  throw new KeyturnError('not-writable', `${directory} is written by Kubernetes, which would put its own values back`, {
    hint: 'change the Secret in the cluster, or name a directory that only people and Keyturn write',
  });
}
