import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import type { Build } from '../support/compiled.js';
import { compiledProject } from '../support/compiled.js';
import { lives, startParent } from '../support/parent-program.js';
import { stays } from '../support/meanwhile.js';

let build: Build;
beforeAll(async () => {
  build = await compiledProject();
});
afterAll(() => build.remove());

const START = `const { createShutdown } = await load('embedded/shutdown.js');
  const { spawnGuarded } = await load('embedded/reaper.js');
  const note = (line) => process.stderr.write(line + '\\n');
  const shutdown = createShutdown();
  shutdown.add('first', async () => note('first'));
  shutdown.add('broken', async () => { throw new Error('no matter'); });
  shutdown.add('last', async () => { await new Promise((done) => setTimeout(done, 100)); note('last'); });`;

describe('a process that ends', () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    it(`by ${signal} releases everything in reverse order, whatever fails, and exits with ${String(code)}`, async () => {
      const parent = await startParent(build.directory, `${START} setInterval(() => undefined, 1000); say({});`);
      parent.kill(signal);
      const { exitCode, stderr } = await parent.ended;
      expect(exitCode).toBe(code);
      expect(words(stderr)).toEqual(['last', 'broken', 'first']);
    });
  }

  it('by an error that nobody caught releases everything, says what it was, and exits with 1', async () => {
    for (const failure of [
      "setTimeout(() => { throw new Error('boom'); })",
      "void Promise.reject(new Error('boom'))",
    ]) {
      const parent = await startParent(
        build.directory,
        `${START} setInterval(() => undefined, 1000); say({}); ${failure};`,
      );
      const { exitCode, stderr } = await parent.ended;
      expect(exitCode).toBe(1);
      expect(stderr).toContain('error: Error: boom');
      expect(words(stderr)).toEqual(['last', 'broken', 'first']);
    }
  });

  it('by itself keeps its exit code', async () => {
    const body = `${START} say({}); await shutdown.run(); await shutdown.run(); process.exitCode = 4;`;
    const { exitCode, stderr } = await (await startParent(build.directory, body)).ended;
    expect(exitCode).toBe(4);
    expect(words(stderr)).toEqual(['last', 'broken', 'first']);
  });

  it('never shows a value in the error that it ends with', async () => {
    const body = `const { SecretValue } = await load('domain/secret-value.js');
      new SecretValue('kt-planted-value'); ${START} say({}); throw new Error('it was kt-planted-value');`;
    const { stderr } = await (await startParent(build.directory, body)).ended;
    expect(stderr).toContain('it was [secret]');
    expect(stderr).not.toContain('kt-planted-value');
  });

  it('by a second Ctrl-C does not wait, and leaves nothing alive', async () => {
    const parent = await startParent<{ child: number }>(
      build.directory,
      `${START}
       const child = await spawnGuarded('/bin/sh', ['-c', "trap '' TERM INT; while :; do sleep 0.2; done"]);
       shutdown.add('hangs', () => { note('asked'); return new Promise(() => undefined); });
       setInterval(() => undefined, 1000);
       say({ child: child.pid });`,
    );
    parent.kill('SIGINT');
    await stays(300, async () => {
      expect(await lives(parent.said.child)).toBe(true);
    });
    parent.kill('SIGINT');
    expect((await parent.ended).exitCode).toBe(130);
    await vi.waitFor(
      async () => {
        expect(await lives(parent.said.child)).toBe(false);
      },
      { timeout: 30_000 },
    );
  });

  it('by Ctrl-C stops its servers in good order', async () => {
    const parent = await startParent<{ pids: number[]; log: string }>(
      build.directory,
      `${START}
       const { startTemporalServer } = await load('embedded/temporal-server.js');
       const { startPostgres } = await load('embedded/postgres.js');
       const { readFile } = await import('node:fs/promises');
       const postgres = await startPostgres();
       shutdown.add('PostgreSQL', async () => {
         const { directory, logFile } = postgres;
         process.kill(postgres.pid, 'SIGINT');
         await new Promise((done) => setTimeout(done, 1500));
         note(await readFile(logFile, 'utf8'));
         await postgres.stop();
       });
       const temporal = await startTemporalServer({ cli: ${JSON.stringify(inject('temporalCli'))} });
       shutdown.add('Temporal', () => temporal.stop());
       setInterval(() => undefined, 1000);
       say({ pids: [temporal.pid, postgres.pid] });`,
    );
    parent.kill('SIGINT');
    const { exitCode, stderr } = await parent.ended;
    expect(exitCode).toBe(130);
    expect(stderr).toContain('database system is shut down');
    for (const pid of parent.said.pids) expect(await lives(pid)).toBe(false);
  });
});

/** The order of release, without the text of the errors. */
function words(stderr: string): string[] {
  return stderr.split('\n').flatMap((line) => /^(?:error: )?(first|broken|last)\b/.exec(line)?.[1] ?? []);
}
