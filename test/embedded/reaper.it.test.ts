import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { reaperPid, spawnGuarded } from '../../src/embedded/reaper.js';
import type { Build } from '../support/compiled.js';
import { compiledProject } from '../support/compiled.js';
import { lives, startParent } from '../support/parent-program.js';

let build: Build;
beforeAll(async () => {
  build = await compiledProject();
});
afterAll(() => build.remove());

/** The machine may be busy with other tests; that it comes is what is claimed. */
const PATIENT = { timeout: 30_000, interval: 100 };

describe('a parent that is killed with SIGKILL', () => {
  it('leaves no Temporal, no PostgreSQL, no helper and no files behind', async () => {
    const parent = await startParent<{ temporal: number; postgres: number; directory: string; reaper: number }>(
      build.directory,
      `const { startTemporalServer } = await load('embedded/temporal-server.js');
       const { startPostgres } = await load('embedded/postgres.js');
       const { reaperPid } = await load('embedded/reaper.js');
       const temporal = await startTemporalServer({ cli: ${JSON.stringify(inject('temporalCli'))} });
       const postgres = await startPostgres();
       say({ temporal: temporal.pid, postgres: postgres.pid, directory: postgres.directory, reaper: reaperPid() });
       setInterval(() => undefined, 1000);`,
    );
    const { temporal, postgres, directory, reaper } = parent.said;
    const backends = await childrenOf(postgres);
    expect(backends.length).toBeGreaterThan(0);
    for (const pid of [temporal, postgres, reaper]) expect(await lives(pid)).toBe(true);

    parent.kill('SIGKILL');
    await parent.ended;

    await vi.waitFor(async () => {
      for (const pid of [temporal, postgres, reaper, ...backends]) expect(await lives(pid), String(pid)).toBe(false);
    }, PATIENT);
    expect(existsSync(directory)).toBe(false);
  });

  it('takes along a program that ignores the request to end, and what that program started', async () => {
    const parent = await startParent<{ stubborn: number }>(
      build.directory,
      `const { spawnGuarded } = await load('embedded/reaper.js');
       const stubborn = await spawnGuarded('/bin/sh', ['-c', "trap '' TERM; sleep 300 & while :; do sleep 1; done"]);
       say({ stubborn: stubborn.pid });
       setInterval(() => undefined, 1000);`,
    );
    await vi.waitFor(async () => {
      expect((await childrenOf(parent.said.stubborn)).length).toBeGreaterThan(1);
    }, PATIENT);
    const family = [parent.said.stubborn, ...(await childrenOf(parent.said.stubborn))];
    parent.kill('SIGKILL');
    await vi.waitFor(async () => {
      for (const pid of family) expect(await lives(pid), String(pid)).toBe(false);
    }, PATIENT);
  });
});

describe('a guarded program', () => {
  it('is not waited for by the end of its parent', async () => {
    const body = `const { spawnGuarded } = await load('embedded/reaper.js');
      const child = await spawnGuarded('sleep', ['300']); say({ pid: child.pid }); process.exit(7);`;
    const parent = await startParent<{ pid: number }>(build.directory, body);
    expect((await parent.ended).exitCode).toBe(7);
    await vi.waitFor(async () => {
      expect(await lives(parent.said.pid)).toBe(false);
    }, PATIENT);
  });

  it('says how it ended, and stopping it twice is the same as once', async () => {
    const child = await spawnGuarded('/bin/sh', ['-c', 'exit 3']);
    expect(await child.exited).toEqual({ code: 3, signal: null });
    const sleeper = await spawnGuarded('sleep', ['300']);
    expect(sleeper.exit).toBeNull();
    const [first, second] = await Promise.all([sleeper.stop(), sleeper.stop()]);
    expect(first).toEqual({ code: null, signal: 'SIGTERM' });
    expect(second).toEqual(first);
  });

  it('is killed when it does not end in time', async () => {
    const child = await spawnGuarded('/bin/sh', ['-c', "trap '' TERM; while :; do sleep 0.1; done"]);
    await vi.waitFor(async () => {
      expect((await childrenOf(child.pid)).length).toBe(1);
    }, PATIENT);
    expect((await child.stop(200)).signal).toBe('SIGKILL');
  });

  it('that cannot be started is an error that names it', async () => {
    await expect(spawnGuarded('/no/such/program', [])).rejects.toMatchObject({
      code: 'cannot-start',
      message: '/no/such/program cannot be started: ENOENT',
    });
  });

  it('has a helper of about a megabyte, not of forty', async () => {
    await (
      await spawnGuarded('true', [])
    ).exited;
    const { stdout } = await execa('ps', ['-o', 'rss=', '-p', String(reaperPid())]);
    expect(Number(stdout)).toBeLessThan(5_000);
  });
});

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await execa('ps', ['-o', 'pid=', '--ppid', String(pid)], { reject: false });
  return stdout.split('\n').map(Number).filter(Boolean);
}
