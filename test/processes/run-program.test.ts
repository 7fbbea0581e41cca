import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { runProgram, type Ended, type Program } from '../../src/processes/run-program.js';
import { stays } from '../support/meanwhile.js';

const directory = mkdtempSync(join(tmpdir(), 'keyturn-program-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const never = new AbortController().signal;

function run(argv: string[], more: Partial<Program> = {}, signal = never): Promise<Ended> {
  const environment = { PATH: process.env['PATH'] ?? '' };
  const times = { limit: 60_000, grace: 500, drain: 500 };
  return runProgram({ argv, directory, environment, ...times, heldOutput: 'close', ...more }, signal);
}
const script = (text: string, more: Partial<Program> = {}, signal = never) => run(['sh', '-c', text], more, signal);

test('tells how it ended and what it printed on either output', async () => {
  expect(await script('echo out; echo err >&2; exit 3')).toEqual({
    exitCode: 3,
    endedBy: null,
    timedOut: false,
    outputHeld: false,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  expect(await script('kill -KILL $$')).toMatchObject({ exitCode: null, endedBy: 'SIGKILL', timedOut: false });
});

test('gives no shell the arguments, no input, and only the environment that it is given', async () => {
  expect((await run(['printf', '%s', '$HOME; `id` && *'])).stdout).toBe('$HOME; `id` && *');
  expect((await run(['cat'])).stdout).toBe('');
  const names = (await run(['env'])).stdout.split('\n').map((line) => line.split('=')[0]);
  expect(names.filter((name) => name !== '')).toEqual(['PATH']);
});

test.each([
  [
    'a program that does not exist',
    ['keyturn-no-such-program'],
    {},
    'keyturn-no-such-program cannot be started (ENOENT)',
  ],
  ['a directory that does not exist', ['true'], { directory: '/nonexistent' }, 'there is no directory /nonexistent'],
  ['a file that is no program', ['./file'], {}, './file cannot be started (ENOENT)'],
])('%s is said, and nothing was done', async (_, argv, more, message) => {
  await expect(run(argv, more)).rejects.toMatchObject({ code: 'program-not-started', effect: 'none', message });
});

test('when its time is up the whole group ends, also what ignores SIGTERM', async () => {
  const pidFile = join(directory, 'grandchild');
  const stubborn = `sh -c 'trap "" TERM; echo $$ > ${pidFile}; while true; do sleep 0.1; done' & wait`;
  expect(await script(stubborn, { limit: 500 })).toMatchObject({ timedOut: true });
  const pid = Number(readFileSync(pidFile, 'utf8'));
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 30_000 });
});

test('an abort ends it, and is answered with the abort’s reason once it has ended', async () => {
  const controller = new AbortController();
  const [begun, ended] = [join(directory, 'begun'), join(directory, 'ended')];
  const slow = `trap 'sleep 0.3; touch ${ended}; exit 0' TERM; touch ${begun}; while true; do sleep 0.05; done`;
  const running = script(slow, { grace: 10_000 }, controller.signal);
  running.catch(() => undefined);
  await vi.waitFor(() => expect(existsSync(begun)).toBe(true), { timeout: 30_000 });
  const reason = new Error('cancelled');
  controller.abort(reason);
  await expect(running).rejects.toBe(reason);
  expect(existsSync(ended)).toBe(true);
  await expect(run(['true'], {}, controller.signal)).rejects.toBe(reason);
});

test('an abort that comes before the program has begun is not lost', async () => {
  const controller = new AbortController();
  const [reason, mark] = [new Error('cancelled'), join(directory, 'too late')];
  const running = script(`touch '${mark}'; sleep 60`, {}, controller.signal);
  controller.abort(reason);
  await expect(running).rejects.toBe(reason);
  expect(existsSync(mark)).toBe(false);
});

test('of a flood the end is kept, from the beginning of a line', async () => {
  const { stdout } = await script(`yes 'a line of a flood' | head -c 5000000; echo; echo the end`);
  expect(stdout.length).toBeLessThanOrEqual(262_144 + 65_536);
  expect(stdout.endsWith('\nthe end\n')).toBe(true);
  expect(stdout.startsWith('a line of a flood\n')).toBe(true);
});

test('an output that is held open is said, and does not hold up the answer', async () => {
  const { outputHeld, stdout } = await script('sleep 3 & echo started');
  expect({ outputHeld, stdout }).toEqual({ outputHeld: true, stdout: 'started\n' });
});

test('what it left running lives on if its output is read on, and ends at its next word if that is closed', async () => {
  const leave = (mark: string): string => `(sleep 1; echo word; echo word; touch ${mark}) & echo started`;
  const [reads, closed] = [join(directory, 'reads'), join(directory, 'closed')];
  await Promise.all([
    script(leave(reads), { drain: 100, heldOutput: 'read on' }),
    script(leave(closed), { drain: 100, heldOutput: 'close' }),
  ]);
  await vi.waitFor(() => expect(existsSync(reads)).toBe(true), { timeout: 30_000 });
  await stays(500, () => {
    expect(existsSync(closed)).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    // A zombie whose parent has gone is reaped by init; until then it can still be signalled.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
