import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openDeployer } from '../../src/deployers/open-deployer.js';
import { deploySpec } from '../../src/domain/specs/service.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { deployerContract } from '../contracts/deployer.contract.js';
import { stays } from '../support/meanwhile.js';

const directory = mkdtempSync(join(tmpdir(), 'keyturn-deploy-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const never = new AbortController().signal;

function deployer(argv: string[], more: object = {}, worker: NodeJS.ProcessEnv = process.env) {
  return openDeployer(deploySpec.parse({ type: 'command', argv, directory, ...more }), 'web', worker);
}
const script = (text: string, more: object = {}, worker?: NodeJS.ProcessEnv) =>
  deployer(['sh', '-c', text], more, worker);

deployerContract('command', () => {
  const [known, named] = ['planted-known-90210', 'planted-named-90211'];
  const secret = new SecretValue(known);
  const text = `echo "starting with $DEPLOY_TOKEN"; echo "refused ${secret.reveal()}" >&2; exit 7`;
  return Promise.resolve({
    working: script('cp store running', { stop: ['rm', '-f', 'running'] }),
    set: (value: string) => writeFile(join(directory, 'store'), value),
    deployed: () => readFile(join(directory, 'running'), 'utf8'),
    runs: () => Promise.resolve(existsSync(join(directory, 'running'))),
    unavailable: deployer(['keyturn-no-such-program']),
    failing: script(text, { environment: ['DEPLOY_TOKEN'] }, { ...process.env, DEPLOY_TOKEN: named }),
    planted: [known, named],
    slow: script('sleep 60'),
  });
});

test('the failure says in one line how it ended and what it last said; the diagnosis has all it said', async () => {
  const failing = script('for n in 1 2 3 4 5 6 7; do echo line $n; done; exit 7');
  await expect(failing.deploy(never)).rejects.toThrow(/^web: sh -c .* exited with 7: line 7$/);
  expect(await failing.diagnose(never)).toMatch(
    /it last said:\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7$/,
  );
});

test('a service that nothing says how to stop is refused before anything is run', async () => {
  const web = script('touch deployed-instead');
  expect(web.stopping).toBeNull();
  await expect(web.stop(never)).rejects.toMatchObject({ code: 'cannot-stop', effect: 'none' });
  expect(existsSync(join(directory, 'deployed-instead'))).toBe(false);
});

test('preflight finds a stop command that cannot be run', async () => {
  const web = script('true', { stop: ['keyturn-no-such-program'] });
  await expect(web.preflight(never)).rejects.toMatchObject({ code: 'deployer-unavailable' });
});

test('a command that takes too long is ended', async () => {
  const late = join(directory, 'late');
  const failing = script(`sleep 2; touch ${late}`, { timeout: '300ms' }).deploy(never);
  await expect(failing).rejects.toThrow('did not end within 300ms');
  await stays(2_200, () => {
    expect(existsSync(late)).toBe(false);
  });
});

test('no shell reads the arguments', async () => {
  await deployer(['cp', '/dev/null', '$HOME; touch injected']).deploy(never);
  expect(existsSync(join(directory, '$HOME; touch injected'))).toBe(true);
  expect(existsSync(join(directory, 'injected'))).toBe(false);
});

test('the command sees only what it needs and what is named', async () => {
  const worker = {
    PATH: process.env.PATH,
    HOME: '/h',
    LANG: 'C',
    SESSION_SECRET: 'x',
    DATABASE_URL: 'y',
    NODE_ENV: 'z',
  };
  await script('env > seen', { environment: ['NODE_ENV', 'NOT_SET'] }, worker).deploy(never);
  const seen = (await readFile(join(directory, 'seen'), 'utf8')).split('\n').map((line) => line.split('=')[0] ?? '');
  const own = ['PWD', 'SHLVL', '_', 'OLDPWD', ''];
  expect(seen.filter((name) => !own.includes(name)).sort()).toEqual(['HOME', 'LANG', 'NODE_ENV', 'PATH']);
});

test('a program left running on the command’s output is a failed deploy: it would die with the worker', async () => {
  const failing = script('sleep 5 & echo started').deploy(never);
  await expect(failing).rejects.toThrow('a program that it left running still writes to its output');
});

test('a program left running with an output of its own is fine, and lives on', async () => {
  await script('(sleep 1; touch lived) >/dev/null 2>&1 &').deploy(never);
  await expect.poll(() => existsSync(join(directory, 'lived')), { timeout: 30_000 }).toBe(true);
});

test('preflight finds a program as the operating system will', async () => {
  mkdirSync(join(directory, 'bin'), { recursive: true });
  const program = join(directory, 'bin', 'restart');
  writeFileSync(program, '#!/bin/sh\n');
  await expect(deployer(['bin/restart']).preflight(never)).rejects.toThrow('not an executable program');
  chmodSync(program, 0o755);
  expect((await deployer(['bin/restart']).preflight(never)).facts?.program).toBe(program);
  const worker = { PATH: join(directory, 'bin') };
  expect((await deployer(['restart'], {}, worker).preflight(never)).facts?.program).toBe(program);
  await expect(deployer(['bin']).preflight(never)).rejects.toThrow('not an executable program');
});

test('preflight finds a missing directory, and mentions variables that are not set', async () => {
  const nowhere = deployer(['true'], { directory: join(directory, 'nowhere') });
  await expect(nowhere.preflight(never)).rejects.toThrow('there is no directory');
  const { summary } = await deployer(['true'], { environment: ['KEYTURN_TEST_UNSET'] }).preflight(never);
  expect(summary).toContain('not set here: KEYTURN_TEST_UNSET');
});
