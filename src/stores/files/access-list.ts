/**
 * Access control lists, which Node knows nothing of: GNU `ls` shows that a file has one, GNU `cp` copies it. Without it the mode's group
 * bits, which are the list's mask, would give the group what the list withheld.
 */
import { execFile } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { promisify } from 'node:util';
import { KeyturnError } from '../../domain/errors.js';
import type { Target } from './replaceable.js';

const run = promisify(execFile);
const options = () => ({ timeout: 10_000, env: { PATH: process.env['PATH'], LC_ALL: 'C' } });
/** `-rw-r-----+ 1 …`: behind the mode. */
const MARK = /^[^\s]{10}\+/;

export async function hasAccessList(path: string): Promise<boolean> {
  const { stdout } = await run('ls', ['-ldn', '--', path], options()).catch(() => ({ stdout: '' }));
  return MARK.test(stdout);
}

/** The mode too. @throws KeyturnError `not-writable` where it does not arrive. */
export async function copyAccessList(from: string, to: string): Promise<void> {
  await run('cp', ['--attributes-only', '--preserve=mode', '--', from, to], options()).catch(() => undefined);
  if (await hasAccessList(to)) return;
  throw new KeyturnError('not-writable', `${from} has an access control list that cannot be kept when it is replaced`, {
    hint: `give the worker's host GNU cp and a file system with lists, or take the list away: setfacl -b ${from}`,
  });
}

/** `chattr +i` and `+a` let nobody rename over a file, root neither. @throws KeyturnError `not-writable`. */
export async function assertChangeable({ path, stats }: Pick<Target, 'path' | 'stats'>): Promise<void> {
  try {
    // The mode that it has: refused as the replacement would be.
    await chmod(path, stats.mode & 0o7777);
  } catch {
    throw new KeyturnError('not-writable', `${path} may not be changed (EPERM): it is immutable or append-only`, {
      hint: `see lsattr ${path}; chattr -i -a ${path} makes it replaceable`,
    });
  }
}
