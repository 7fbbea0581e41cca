/** Disks that are full, directories that refuse, and processes that die in the middle: with the compiled program, in real namespaces. */
import { chmod, chown, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { proveArchive } from '../../src/backups/prove-archive.js';
import { readBackups } from '../../src/backups/read-backups.js';
import { compiledProject, type Build } from '../support/compiled.js';
import { backupFixture, FINGERPRINT_KEY, running, type BackupFixture } from './support/fixture.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const isRoot = process.geteuid?.() === 0;
const namespaces = isRoot && (await execa('unshare', ['-m', 'true'], { reject: false })).exitCode === 0;
if (!namespaces) console.warn('skipped: mounts need root and permission to unshare');
if (!isRoot) console.warn('skipped: other users need root');

const PROGRAM = `
import { readFileSync } from 'node:fs';
import { makeArchive } from './dist/backups/make-archive.js';
import { openFormat } from './dist/backups/open-format.js';
import { SecretValue } from './dist/domain/secret-value.js';
import { createSealer } from './dist/backups/seal.js';
import { createFingerprinter } from './dist/stores/fingerprint.js';
const key = ${JSON.stringify(FINGERPRINT_KEY)};
const { plan, keys, killAt } = JSON.parse(readFileSync(0, 'utf8'));
const format = await openFormat(plan.encryption, (ref) => Promise.resolve(new SecretValue(keys[ref.env])));
const faultPoint = (name) => { if (name === killAt) process.kill(process.pid, 'SIGKILL'); };
try {
  await makeArchive(plan, { format, fingerprint: createFingerprinter(key), seals: createSealer(key), faultPoint }, new AbortController().signal);
  console.log(JSON.stringify({ made: true }));
} catch ({ name, code, message, hint, effect, retryable }) {
  console.log(JSON.stringify({ name, code, message, hint, effect, retryable }));
}
`;

let build: Build;
let fixture: BackupFixture;
beforeAll(async () => {
  build = await compiledProject();
  await writeFile(join(build.directory, 'program.js'), PROGRAM);
});
afterAll(() => build.remove());
beforeEach(async () => {
  fixture = await backupFixture();
});
afterEach(() => fixture.remove());

async function run(options: { killAt?: string; directory?: string; wrapper?: readonly string[] } = {}) {
  const { killAt, directory = fixture.directory, wrapper = [] } = options;
  const plan = fixture.plan({ directory });
  const keys = { IDENTITY: fixture.identity, PASSPHRASE: fixture.passphrase };
  const own = [process.execPath, join(build.directory, 'program.js')];
  const [command = '', ...args] = [...wrapper, ...own];
  const ended = await execa(command, args, { input: JSON.stringify({ plan, keys, killAt }), reject: false });
  const line = ended.stdout.split('\n').find((text) => text.startsWith('{'));
  return {
    signal: ended.signal,
    said: JSON.parse(line ?? 'null') as Record<string, unknown> | null,
    all: ended.stdout + ended.stderr,
  };
}

describe('a process that is killed', () => {
  const points = ['temporary created', 'temporary written', 'temporary synced', 'renamed', 'directory synced'];
  it.each(['archive', 'manifest'].flatMap((file) => points.map((point) => `${file} ${point}`)))(
    'at "%s" leaves no value behind, and the next attempt makes one good backup',
    async (killAt) => {
      expect((await run({ killAt })).signal).toBe('SIGKILL');
      const left = await readBackups(fixture.directory, fixture.seals);
      expect(left.filter(({ state }) => state === 'proven')).toEqual([]);
      const everything = await fixture.everything();
      for (const value of Object.values(fixture.values)) expect(everything).not.toContain(value);
      expect((await run()).said).toEqual({ made: true });
      const plan = fixture.plan();
      await proveArchive(plan, await fixture.deps(plan), running);
      const found = await readBackups(fixture.directory, fixture.seals);
      expect(found.map(({ state }) => state)).toEqual(['proven']);
      expect((await fixture.files()).filter((name) => name.endsWith('.age'))).toHaveLength(1);
    },
  );
});

describe.skipIf(!namespaces)('a disk that is full', () => {
  it('is told, worth another attempt, and nothing half is left', async () => {
    // 8 kB: a file system that has room for the names of files, and for next to nothing in them.
    const script = `mount -t tmpfs -o size=8k,mode=0700 tmpfs "$1" && head -c 8192 /dev/zero > "$1/other"; shift; "$@"; code=$?; ls -A ${fixture.directory}; exit $code`;
    const { said, all } = await run({ wrapper: ['unshare', '-m', 'sh', '-c', script, 'sh', fixture.directory] });
    expect(said).toMatchObject({
      code: 'not-writable',
      message: expect.stringMatching(/ENOSPC$/) as string,
      hint: 'the disk is full: make room and run again',
      retryable: true,
      effect: 'none',
    });
    expect(all.trim().split('\n').slice(1)).toEqual(['other']);
  });

  it('on a file system that is read-only, too', async () => {
    const script = `mount -t tmpfs -o ro tmpfs "$1"; shift; exec "$@"`;
    const { said } = await run({ wrapper: ['unshare', '-m', 'sh', '-c', script, 'sh', fixture.directory] });
    expect(said).toMatchObject({ code: 'not-writable', hint: 'the file system is read-only', effect: 'none' });
  });
});

describe.skipIf(!isRoot)('a directory that the worker may not write to', () => {
  it('is told with what to do, and nothing is written', async () => {
    const setpriv = ['setpriv', '--reuid', '54321', '--regid', '54321', '--clear-groups'];
    for (const path of [fixture.root, build.directory]) await chmod(path, 0o755);
    const reachable = await execa(
      setpriv[0]!,
      [...setpriv.slice(1), 'test', '-r', join(build.directory, 'program.js')],
      { reject: false },
    );
    if (reachable.exitCode !== 0) {
      console.warn('skipped: another user cannot read the checkout');
      return;
    }
    await chown(fixture.envFile, 54_321, 54_321);
    await chmod(fixture.directory, 0o755);
    const { said } = await run({ wrapper: setpriv });
    expect(said).toMatchObject({
      code: 'not-writable',
      message: expect.stringContaining('EACCES') as string,
      effect: 'none',
    });
    expect(await readdir(fixture.directory)).toEqual([]);
  });
});

it('an archive and its manifest survive a power cut: both are synced before they have their names', async () => {
  const traced = (await execa('strace', ['-f', '-qq', '-o', '/dev/null', 'true'], { reject: false })).exitCode === 0;
  if (!traced) {
    console.warn('skipped: strace is not installed or not permitted');
    return;
  }
  const log = join(fixture.root, 'strace');
  await run({ wrapper: ['strace', '-f', '-y', '-o', log, '-e', 'trace=openat,fsync,rename'] });
  const calls = (await readFile(log, 'utf8')).split('\n').filter((line) => line.includes(fixture.directory));
  for (const line of calls.filter((one) => one.includes('O_CREAT'))) expect(line).toMatch(/O_EXCL.*0600/);
  expect(calls.flatMap((line) => /(fsync|rename)\(/.exec(line)?.[1] ?? [])).toEqual([
    ...['fsync', 'rename', 'fsync'],
    ...['fsync', 'rename', 'fsync'],
  ]);
});
