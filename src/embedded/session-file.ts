/**
 * How the other commands find what `keyturn up` started in the same clone: a file of mode 0600 in the user's state
 * directory, named by the clone's directory and the pid, believed only while that very process lives.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isRunning, startTime } from '../../scripts/file-lock.mjs';
import { stateDirectory } from './directories.js';

const sessionSchema = z.object({
  pid: z.int().positive(),
  temporalAddress: z.string(),
  namespace: z.string(),
  uiUrl: z.string().nullable(),
  /** Carries a password, hence the mode. */
  ledgerUrl: z.string(),
  /** The inventory's directory. */
  inventory: z.string(),
  fingerprintKey: z.string(),
  /** What else its worker was given: the example systems' ports and passwords. */
  variables: z.record(z.string(), z.string()).default({}),
});
const fileSchema = sessionSchema.extend({ started: z.string().nullable(), at: z.number() });

export type Session = z.infer<typeof sessionSchema>;

export interface SessionFile {
  readonly path: string;
  /** Idempotent. */
  remove(): Promise<void>;
}

/** Tells of a session of this process in `clone`. Replaces an earlier one of the same process. */
export async function writeSession(
  session: Omit<z.input<typeof sessionSchema>, 'pid'>,
  clone: string = process.cwd(),
): Promise<SessionFile> {
  const directory = await stateDirectory('sessions');
  const path = join(directory, `${await keyOf(clone)}-${String(process.pid)}.json`);
  const content = { ...session, pid: process.pid, started: startTime(process.pid), at: Date.now() };
  const whole = join(directory, `.${randomUUID()}.tmp`);
  await writeFile(whole, JSON.stringify(content), { mode: 0o600, flag: 'wx' });
  await rename(whole, path);
  return { path, remove: () => rm(path, { force: true }) };
}

/** The newest session that lives in `clone`, or null. What dead ones left behind is removed. */
export async function readSession(clone: string = process.cwd()): Promise<Session | null> {
  const directory = await stateDirectory('sessions');
  const key = await keyOf(clone);
  const names = (await readdir(directory)).filter((name) => name.startsWith(`${key}-`));
  const files = await Promise.all(names.map((name) => readLive(join(directory, name))));
  const newest = files.filter((file) => file !== null).sort((a, b) => b.at - a.at)[0];
  return newest === undefined ? null : sessionSchema.parse(newest);
}

async function readLive(path: string): Promise<z.infer<typeof fileSchema> | null> {
  try {
    const file = fileSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    if (isRunning(file.pid, file.started)) return file;
  } catch {
    // Gone meanwhile, or written by another version: no session either way.
  }
  await rm(path, { force: true });
  return null;
}

async function keyOf(clone: string): Promise<string> {
  return createHash('sha256')
    .update(await realpath(clone))
    .digest('hex')
    .slice(0, 16);
}
