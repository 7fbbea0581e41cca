/** The files of one arrangement, one after the other, each whole. */
import type { FileLock } from '../files/file-lock.js';
import { removeFile, replaceFile } from '../files/replace-file.js';
import { assertUnchanged } from './change-errors.js';
import type { FileChange, Look } from './medium.js';

export type FaultPoint = (name: string) => Promise<void> | void;

export interface Writing {
  readonly lock: FileLock;
  /** Called as soon as a file may be another one. */
  readonly onWritten: () => void;
  readonly faultPoint?: FaultPoint;
}

/**
 * Every file is looked at right before each change: what a person has saved meanwhile stays, and what is not written yet too.
 * @throws KeyturnError `changed-meanwhile`, `busy`, `not-writable`; `effect` is that of the file that was being written.
 */
export async function writeChanges(changes: readonly FileChange[], { seen }: Look, writing: Writing): Promise<void> {
  const { lock, onWritten, faultPoint } = writing;
  const written = new Set<string>();
  for (const { path, label, bytes, content, like } of changes) {
    if (content === null || bytes === null ? content === bytes : content.equals(bytes)) continue;
    const guard = async () => {
      await faultPoint?.(`${label}: about to be replaced`);
      await lock.stillHeld();
      await assertUnchanged(seen.filter((file) => !written.has(file.path)));
    };
    const how = { path, guard, ...(faultPoint && { faultPoint: (name: string) => faultPoint(`${label}: ${name}`) }) };
    if (content === null) await removeFile(how);
    else await replaceFile({ ...how, content, ...(like !== undefined && { like }) });
    written.add(path);
    onWritten();
  }
}
