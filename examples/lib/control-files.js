/**
 * How a reload finds the application and learns the outcome: `FILE` holds the primary's process id, `FILE.state` what it
 * last did. Both are written whole (temporary file, then rename), so a reader never sees half of one.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/**
 * @typedef {object} State
 * @property {string} name
 * @property {number} pid
 * @property {string | null} born When the kernel started that process, to tell it from a later one with the same id.
 * @property {'starting' | 'running' | 'replacing' | 'failed'} phase
 * @property {number} generation
 * @property {string} readAt Monotonic nanoseconds (one clock for all processes of a machine) at which the settings were read.
 * @property {string} [reason] Why the newest generation failed: its last lines.
 */

/** @param {string} pidFile @param {State} state */
export function writeState(pidFile, state) {
  writeWhole(`${pidFile}.state`, `${JSON.stringify(state)}\n`);
}

/** @param {string} pidFile */
export function writePid(pidFile) {
  writeWhole(pidFile, `${process.pid}\n`);
}

/** @param {string} pidFile */
export function removeControlFiles(pidFile) {
  // The pid first: without it nobody signals a process that is on its way out.
  rmSync(pidFile, { force: true });
  rmSync(`${pidFile}.state`, { force: true });
}

/** @param {string} pidFile @returns {State | undefined} */
export function readState(pidFile) {
  try {
    return JSON.parse(readFileSync(`${pidFile}.state`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** @param {number | 'self'} pid @returns {string | null} null where the machine has no /proc. */
export function bornAt(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Field 22; counted after the program's name, which may itself hold spaces and brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** @param {string} file @param {string} text */
function writeWhole(file, text) {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, file);
}
