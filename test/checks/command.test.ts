import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { askCommand } from '../../src/checks/command.js';
import { checkSpec, type CommandCheckSpec } from '../../src/domain/specs/check.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { contextWith } from './contexts.js';
import { goesOn } from '../support/meanwhile.js';

const directory = mkdtempSync(join(tmpdir(), 'keyturn-command-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

function command(argv: string[], more: object = {}): CommandCheckSpec {
  return checkSpec.parse({ type: 'command', argv, ...more }) as CommandCheckSpec;
}

const script = (text: string, more: object = {}): CommandCheckSpec => command(['sh', '-c', text], more);

test('passes on exit code 0', async () => {
  expect(await askCommand(command(['true']), contextWith())).toEqual({ passed: true, summary: 'true exited with 0' });
});

test('another exit code is a failure that repeats the last line', async () => {
  const answer = await askCommand(script('echo one; echo not ready >&2; exit 3'), contextWith());
  expect(answer.passed).toBe(false);
  expect(answer.summary).toMatch(/exited with 3, expected 0: not ready$/);
});

test('the exit code and the output can be expected', async () => {
  const expected = { expect: { exitCode: 4, stdout: 'replica' } };
  expect((await askCommand(script('echo a replica; exit 4', expected), contextWith())).passed).toBe(true);
  expect((await askCommand(script('echo a primary; exit 4', expected), contextWith())).passed).toBe(false);
});

test('no shell reads the arguments', async () => {
  const text = '$HOME; `id` && *';
  const answer = await askCommand(command(['printf', '%s', text], { expect: { stdout: text } }), contextWith());
  expect(answer.passed).toBe(true);
});

test('the command sees PATH, HOME, LANG, TMPDIR and what is named, nothing else', async () => {
  vi.stubEnv('KEYTURN_TEST_NAMED', 'seen');
  vi.stubEnv('KEYTURN_TEST_OTHER', 'unseen');
  const print = 'console.log(JSON.stringify(Object.keys(process.env).sort()))';
  const check = (stdout: string) =>
    command([process.execPath, '-e', print], { environment: ['KEYTURN_TEST_NAMED'], expect: { stdout } });
  const names = ['PATH', 'HOME', 'LANG', 'TMPDIR'].filter((name) => process.env[name] !== undefined);
  const expected = JSON.stringify([...names, 'KEYTURN_TEST_NAMED'].sort());
  expect(await askCommand(check(expected), contextWith())).toMatchObject({ passed: true });
});

test('values of named variables and known secrets are masked in what it printed', async () => {
  vi.stubEnv('KEYTURN_TEST_TOKEN', 'planted-token-4711');
  const known = new SecretValue('planted-known-0815');
  const text = `echo "$KEYTURN_TEST_TOKEN ${known.reveal()}"; exit 1`;
  const { summary } = await askCommand(script(text, { environment: ['KEYTURN_TEST_TOKEN'] }), contextWith());
  expect(summary).toContain('[$KEYTURN_TEST_TOKEN] [secret]');
  expect(summary).not.toContain('planted');
});

test('a program or directory that does not exist is an answer, not an error', async () => {
  const missing = await askCommand(command(['keyturn-no-such-program']), contextWith());
  expect(missing).toMatchObject({ passed: false });
  expect(missing.summary).toContain('cannot be started (ENOENT)');
  const nowhere = await askCommand(command(['true'], { directory: join(directory, 'no') }), contextWith());
  expect(nowhere.summary).toContain('there is no directory');
});

test('time is up for the whole process group, also for what ignores SIGTERM', async () => {
  const pidFile = join(directory, 'grandchild');
  const stubborn = `sh -c 'trap "" TERM; echo $$ > ${pidFile}; while true; do sleep 0.1; done' & wait`;
  const answer = await askCommand(script(stubborn, { timeout: '500ms' }), contextWith());
  expect(answer.summary).toContain('did not end within 500ms');
  const pid = Number(readFileSync(pidFile, 'utf8'));
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 30_000 });
});

test('an abort ends the command and is no answer', async () => {
  const controller = new AbortController();
  const marker = join(directory, 'too-late');
  const asked = askCommand(script(`sleep 3; touch ${marker}`), contextWith({}, controller.signal));
  await goesOn(asked, 100);
  const reason = new Error('cancelled');
  controller.abort(reason);
  await expect(asked).rejects.toBe(reason);
  expect(existsSync(marker)).toBe(false);
});

test('more output than is kept does not fill the memory, and its end is what is shown', async () => {
  const flood = `yes 'a line of a flood' | head -c 20000000; echo the end; exit 1`;
  const { summary } = await askCommand(script(flood), contextWith());
  expect(summary).toContain('the end');
});

test('what it leaves running does not hold up the answer', async () => {
  const started = performance.now();
  const answer = await askCommand(script('sleep 20 & echo started'), contextWith());
  expect(answer.passed).toBe(true);
  expect(performance.now() - started).toBeLessThan(15_000);
});

function isAlive(pid: number): boolean {
  try {
    // A zombie whose parent has gone is reaped by init; until then it can still be signalled.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
