/** Whether what is written somewhere outlives a restart of the machine. */
import { statfs } from 'node:fs/promises';

/** statfs(2): TMPFS_MAGIC and RAMFS_MAGIC. */
const IN_MEMORY = new Set([0x01021994, 0x858458f6]);

/** @param path of a file or directory that is there. */
export async function isInMemory(path: string): Promise<boolean> {
  return IN_MEMORY.has((await statfs(path)).type);
}
