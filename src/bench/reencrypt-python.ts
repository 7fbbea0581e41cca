/**
 * A Python of our own with pinned packages, made once and kept in the user's cache: what applications encrypt with is Python's
 * `cryptography`, so that is what ours is measured against and verified by.
 */
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { withFileLock } from '../../scripts/file-lock.mjs';
import { KeyturnError } from '../domain/errors.js';
import { redact } from '../domain/secret-value.js';
import { cacheDirectory } from '../embedded/directories.js';

const PACKAGES = ['cryptography==50.0.2', 'psycopg[binary]==3.3.9', 'psycopg2-binary==2.9.13'];
/** Changes with the list above. */
const CACHE_NAME = 'python-cryptography-50.0.2-psycopg-3.3.9';
/** 15 MB over a slow line. */
const INSTALL_MS = 5 * 60_000;

/**
 * Idempotent; two processes that start at once make one.
 * @returns the path of a `python3` that has the packages.
 * @throws KeyturnError `no-python`
 */
export async function pythonWithCryptography(): Promise<string> {
  const cache = cacheDirectory();
  const home = join(cache, CACHE_NAME);
  const path = join(home, 'bin', 'python3');
  await mkdir(cache, { recursive: true });
  return withFileLock(`${home}.lock`, async () => {
    if (await works(path)) return path;
    const building = await mkdtemp(`${home}.building-`);
    try {
      await execa('python3', ['-m', 'venv', building], { timeout: INSTALL_MS, stdin: 'ignore' });
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', ...PACKAGES];
      await execa(join(building, 'bin', 'python3'), pip, { timeout: INSTALL_MS, stdin: 'ignore' });
      await rm(home, { recursive: true, force: true });
      await rename(building, home);
      if (!(await works(path))) throw new Error('the packages cannot be imported');
      return path;
    } catch (error) {
      const said = redact(error instanceof Error ? error.message : String(error));
      throw new KeyturnError('no-python', `no Python with ${PACKAGES.join(', ')}: ${said.slice(0, 500)}`, {
        hint: 'install python3 with its venv module, and let pip reach a package index',
      });
    } finally {
      await rm(building, { recursive: true, force: true });
    }
  });
}

async function works(python: string): Promise<boolean> {
  const tried = await execa(python, ['-c', 'import cryptography.fernet, psycopg, psycopg2.extras'], {
    reject: false,
    timeout: 30_000,
    stdin: 'ignore',
  });
  return tried.exitCode === 0;
}
