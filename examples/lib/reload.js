/**
 * node reload.js --pid-file FILE [--timeout SECONDS]
 *
 * Makes a running application read its settings again, and waits until every instance runs on them and the last old one
 * is gone. Exit 0: done. 1: not done, and why (the old instances still serve). 2: bad usage.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { bornAt, readState } from './control-files.js';

const POLL_MS = 25;

const { pidFile, limitMs } = readArguments();
const pid = findPrimary(pidFile);
const before = process.hrtime.bigint();
try {
  process.kill(pid, 'SIGHUP');
} catch (error) {
  fail(1, `process ${pid} cannot be signalled: ${/** @type {NodeJS.ErrnoException} */ (error).code}`);
}

const deadline = performance.now() + limitMs;
for (;;) {
  const state = readState(pidFile);
  // Settings read before the signal do not count: somebody else's reload may be finishing just now.
  if (state && BigInt(state.readAt) >= before) {
    if (state.phase === 'running') {
      console.log(`${state.name}: generation ${state.generation} serves`);
      break;
    }
    if (state.phase === 'failed') {
      fail(
        1,
        `${state.name}: generation ${state.generation} did not start; the one before it still serves\n${state.reason}`,
      );
    }
  }
  if (!alive(pid)) fail(1, `process ${pid} ended during the reload`);
  if (performance.now() > deadline) fail(1, `not done after ${limitMs / 1000} s (phase: ${state?.phase ?? 'unknown'})`);
  await sleep(POLL_MS);
}

/** @returns {{ pidFile: string, limitMs: number }} */
function readArguments() {
  try {
    const { values } = parseArgs({
      options: { 'pid-file': { type: 'string' }, timeout: { type: 'string', default: '90' } },
    });
    const seconds = Number(values.timeout);
    if (!values['pid-file'] || !(seconds > 0)) throw new Error('usage: reload.js --pid-file FILE [--timeout SECONDS]');
    return { pidFile: values['pid-file'], limitMs: seconds * 1_000 };
  } catch (error) {
    return fail(2, /** @type {Error} */ (error).message);
  }
}

/** @param {string} file */
function findPrimary(file) {
  let text;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch {
    return fail(1, `${file} cannot be read: is the application running?`);
  }
  const found = Number(text);
  const state = readState(file);
  if (!Number.isInteger(found) || found < 1) return fail(1, `${file} does not hold a process id`);
  // After a crash the file outlives its process, and the number may belong to a stranger, whom SIGHUP would end.
  if (!alive(found) || state?.pid !== found || state.born !== bornAt(found)) {
    return fail(1, `${file} names process ${text}, which is not this application: it is not running`);
  }
  return found;
}

/** @param {number} process_ */
function alive(process_) {
  try {
    process.kill(process_, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/** @param {number} code @param {string} message @returns {never} */
function fail(code, message) {
  console.error(`reload: ${message}`);
  process.exit(code);
}
