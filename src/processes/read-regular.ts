/** A file whose path a person or an archive gave: it may be a pipe that nobody writes to, a device that never ends, or huge. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { KeyturnError } from '../domain/errors.js';

/** Keys, passphrases, identities. */
export const LARGEST_KEY = 65_536;

/**
 * Opened first and asked then, so that nobody can put something else there in between; without waiting, since a pipe opens only once
 * somebody writes to it.
 * @param flags of the file system: whether symlinks are followed.
 * @returns at most `largest` bytes.
 * @throws KeyturnError `not-a-file`, `too-large`; what the operating system says.
 */
export async function readRegular(path: string, largest: number, flags = 0): Promise<Buffer> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | flags);
  try {
    if (!(await handle.stat()).isFile()) {
      throw new KeyturnError('not-a-file', `${path} is not a regular file`, {
        hint: 'name a file: no directory, no pipe and no device is read',
      });
    }
    const chunks: Buffer[] = [];
    let length = 0;
    // What it says of its size may be wrong: it grows, or is one of the system's own.
    while (length <= largest) {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(CHUNK), 0, CHUNK);
      if (bytesRead === 0) return Buffer.concat(chunks);
      chunks.push(buffer.subarray(0, bytesRead));
      length += bytesRead;
    }
  } finally {
    await handle.close();
  }
  throw new KeyturnError('too-large', `${path} is larger than ${largest} bytes`, { hint: 'is it the right file?' });
}

const CHUNK = 65_536;
