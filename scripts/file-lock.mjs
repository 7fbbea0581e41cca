/**
 * One process at a time, across processes, without leaving a stale lock behind. The lock is a file that names its holder
 * by pid and start time (a pid alone is reused); it is created whole, by link(2), so nobody ever reads half a name.
 * A dead holder's lock is taken over under a second file, so that two waiters never both remove it.
 */
import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Taking over is a few system calls: a marker this old (ms) belongs to a process that died in the middle of it. */
const TAKE_OVER_MS = 10_000;
const POLL_MS = 50;

/**
 * Runs `work` while holding the lock file `path`; waits for its turn. `onWait` is called once if it has to.
 * @template T
 * @param {string} path
 * @param {() => T | Promise<T>} work
 * @param {(holder: string) => void} [onWait]
 * @returns {Promise<T>}
 */
export async function withFileLock(path, work, onWait) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = JSON.stringify({ pid: process.pid, started: startTime(process.pid), id: randomUUID() });
  let waited = false;
  while (!create(path, mine)) {
    const holder = read(path);
    if (holder === null) continue;
    if (!isAlive(holder)) {
      takeOver(path, holder);
      continue;
    }
    if (!waited) onWait?.(path);
    waited = true;
    await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    if (read(path) === mine) rmSync(path, { force: true });
  }
}

/**
 * What tells this process from a later one with the same pid; null where the system does not say.
 * @param {number} pid
 * @returns {string | null}
 */
export function startTime(pid) {
  try {
    if (process.platform === 'linux') {
      // Field 22 of /proc/PID/stat; the second field, in parentheses, may hold anything.
      const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
  } catch {
    return null;
  }
}

/**
 * Whether the process that had this pid at this start time still runs.
 * @param {number} pid
 * @param {string | null} started
 * @returns {boolean}
 */
export function isRunning(pid, started) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  return started === null || startTime(pid) === started;
}

function create(path, content) {
  const whole = `${path}.${randomUUID()}`;
  writeFileSync(whole, content, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(whole, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(whole, { force: true });
  }
}

function takeOver(path, dead) {
  const marker = `${path}.take-over`;
  if (!create(marker, String(process.pid))) {
    const age = ageOf(marker);
    if (age !== null && age > TAKE_OVER_MS) rmSync(marker, { force: true });
    return;
  }
  try {
    // Read again under the marker: only its owner removes a dead holder's lock, so what is read here stays.
    if (read(path) === dead) rmSync(path, { force: true });
  } finally {
    rmSync(marker, { force: true });
  }
}

function isAlive(holder) {
  try {
    const { pid, started } = JSON.parse(holder);
    return isRunning(pid, started);
  } catch {
    return false;
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

function ageOf(path) {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return null;
  }
}
