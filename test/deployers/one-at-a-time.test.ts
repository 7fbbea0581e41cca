/** Two deploys of one service never run beside each other, whatever becomes of the workers that started them. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openDeployer } from '../../src/deployers/open-deployer.js';
import { deploySpec } from '../../src/domain/specs/service.js';
import { startOf } from '../../src/processes/process-identity.js';
import { lockDirectory } from '../../src/processes/program-lock.js';
import { compiledProject, type Build } from '../support/compiled.js';
import { goesOn } from '../support/meanwhile.js';

const never = new AbortController().signal;
let build: Build;
let directory: string;
let workers: ReturnType<typeof worker>[];

beforeAll(async () => {
  build = await compiledProject();
}, 60_000);
afterAll(() => build.remove());
beforeEach(async () => {
  workers = [];
  directory = await mkdtemp(join(tmpdir(), 'keyturn-alone-'));
  // Says when it begins and when it has ended; is deaf to nothing.
  writeFileSync(
    join(directory, 'deploy.sh'),
    'echo "begin $$" >> log\nsleep "${1}"\necho "end $$" >> log\necho over >/dev/null\n',
  );
});
afterEach(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  await Promise.allSettled(workers);
  await rm(directory, { recursive: true, force: true });
});

const spec = (seconds: number, timeout: string) =>
  deploySpec.parse({ type: 'command', argv: ['sh', 'deploy.sh', String(seconds)], directory, timeout });

function log(): string[] {
  try {
    return readFileSync(join(directory, 'log'), 'utf8').trim().split('\n');
  } catch {
    return [];
  }
}

/** A worker in a process of its own that deploys `web`; killed after the test. */
function started(seconds: number, timeout: string): ReturnType<typeof worker> {
  const process = worker(seconds, timeout);
  workers.push(process);
  return process;
}

function worker(seconds: number, timeout: string) {
  const program = `
    const { openDeployer } = await import(${JSON.stringify(join(build.directory, 'dist/deployers/open-deployer.js'))});
    await openDeployer(${JSON.stringify(spec(seconds, timeout))}, 'web').deploy(new AbortController().signal);
  `;
  return execa(process.execPath, ['--input-type=module', '-e', program], { reject: false });
}

async function begun(count = 1): Promise<void> {
  await expect.poll(() => log().filter((line) => line.startsWith('begin')).length, { timeout: 30_000 }).toBe(count);
}

/** @returns the process that has begun, once its worker has noted which one that is: a moment later. */
async function noted(): Promise<number> {
  await begun();
  const pid = Number(log()[0]?.split(' ')[1]);
  const locks = lockDirectory();
  const texts = (): string[] =>
    readdirSync(locks).flatMap((name) => {
      try {
        return [readFileSync(join(locks, name), 'utf8')];
      } catch {
        // Of another deploy, which has ended.
        return [];
      }
    });
  await expect
    .poll(() => texts().some((text) => text.includes(`"program":{"pid":${pid},`)), { timeout: 30_000 })
    .toBe(true);
  return pid;
}

test('a deploy that takes over from a killed worker waits for the deploy that the worker has left running', async () => {
  const first = started(3, '30s');
  await noted();
  first.kill('SIGKILL');
  await first;
  await openDeployer(spec(0, '30s'), 'web').deploy(never);
  const lines = log().map((line) => line.split(' ')[0]);
  expect(lines).toEqual(['begin', 'end', 'begin', 'end']);
}, 30_000);

test('a deploy left running by a killed worker is ended once its own time is up', async () => {
  const first = started(60, '3s');
  const orphan = await noted();
  first.kill('SIGKILL');
  await first;
  await openDeployer(spec(0, '30s'), 'web').deploy(never);
  expect(startOf(orphan)).toBe('gone');
  const lines = log().map((line) => line.split(' ')[0]);
  expect(lines).toEqual(['begin', 'begin', 'end']);
}, 30_000);

test('two live workers deploy one service one after the other', async () => {
  const both = [started(1, '30s'), started(1, '30s')];
  await Promise.all(both);
  expect(log().map((line) => line.split(' ')[0])).toEqual(['begin', 'end', 'begin', 'end']);
}, 30_000);

test('another service of the same directory is not waited for', async () => {
  void started(5, '30s');
  await begun();
  await openDeployer(spec(0, '30s'), 'jobs').deploy(never);
  expect(log().filter((line) => line.startsWith('end'))).toHaveLength(1);
}, 30_000);

test('whoever waits can be called back', async () => {
  void started(5, '30s');
  await begun();
  const controller = new AbortController();
  const reason = new Error('cancelled');
  const waiting = openDeployer(spec(0, '30s'), 'web').deploy(controller.signal);
  await goesOn(waiting, 300);
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  expect(log()).toHaveLength(1);
}, 30_000);
