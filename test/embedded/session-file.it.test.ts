import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { readSession, writeSession } from '../../src/embedded/session-file.js';
import type { Build } from '../support/compiled.js';
import { compiledProject } from '../support/compiled.js';
import { startParent } from '../support/parent-program.js';

const SESSION = {
  temporalAddress: '127.0.0.1:7233',
  namespace: 'default',
  uiUrl: null,
  ledgerUrl: 'postgresql://127.0.0.1:5432/ledger',
  inventory: 'examples',
  fingerprintKey: 'only-for-this-test',
  variables: { EXAMPLE_ADMIN_URL: 'postgresql://127.0.0.1:5432/example' },
};
let build: Build;
let home: string;
beforeAll(async () => {
  build = await compiledProject();
});
afterAll(() => build.remove());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'keyturn-session-'));
  vi.stubEnv('XDG_STATE_HOME', home);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true, force: true });
});

describe('a session', () => {
  it('is found in its clone only, until it is removed', async () => {
    expect(await readSession(build.directory)).toBeNull();
    const file = await writeSession(SESSION, build.directory);
    expect(await readSession(build.directory)).toEqual({ ...SESSION, pid: process.pid });
    expect(await readSession(home)).toBeNull();
    await file.remove();
    await file.remove();
    expect(await readSession(build.directory)).toBeNull();
  });

  it('can be read by its user only', async () => {
    const { path } = await writeSession(SESSION, build.directory);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
    expect(await readdir(dirname(path))).toHaveLength(1);
  });

  it('of two copies side by side: the newest that lives', async () => {
    const older = await copyWithSession('older');
    const newer = await copyWithSession('newer');
    expect(await readSession(build.directory)).toMatchObject({ namespace: 'newer', pid: newer.pid });
    newer.kill('SIGKILL');
    await newer.ended;
    expect(await readSession(build.directory)).toMatchObject({ namespace: 'older', pid: older.pid });
    older.kill('SIGKILL');
    await older.ended;
    expect(await readSession(build.directory)).toBeNull();
    expect(await readdir(join(home, 'keyturn', 'sessions'))).toEqual([]);
  });

  it('of a dead process is not believed because another has its pid', async () => {
    const { path } = await writeSession(SESSION, build.directory);
    const content = JSON.parse(await readFile(path, 'utf8')) as { started: string };
    await writeFile(path, JSON.stringify({ ...content, started: `${content.started}0` }));
    expect(await readSession(build.directory)).toBeNull();
  });
});

function copyWithSession(namespace: string) {
  return startParent(
    build.directory,
    `const { writeSession } = await load('embedded/session-file.js');
     await writeSession(${JSON.stringify({ ...SESSION, namespace })}, ${JSON.stringify(build.directory)});
     say({});
     setInterval(() => undefined, 1000);`,
    { XDG_STATE_HOME: home },
  );
}
