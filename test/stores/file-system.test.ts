/** Disks that are full, mounts, owners and modes: in real mount namespaces and as other users, where the tests may. */
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { envFixture } from './support/env-fixture.js';
import { storeProgram, type Line, type StoreProgram } from './support/store-program.js';

// Real processes and real fsync on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const NEW = 'new-value-0987654321';
const isRoot = process.geteuid?.() === 0;
const namespaces = isRoot && (await execa('unshare', ['-m', 'true'], { reject: false })).exitCode === 0;
const traced = (await execa('strace', ['-f', '-qq', '-o', '/dev/null', 'true'], { reject: false })).exitCode === 0;
if (!isRoot) console.warn('skipped: other owners need root');
if (!namespaces) console.warn('skipped: mounts need root and permission to unshare');
if (!traced) console.warn('skipped: strace is not installed or not permitted');

let program: StoreProgram;
beforeAll(async () => {
  program = await storeProgram();
});
afterAll(() => program.remove());

const ends = (lines: readonly Line[]) => lines.filter((line) => 'done' in line);

describe('modes', () => {
  it.each([0o000, 0o077, 0o777])('with umask %o every file that holds values is 0600 from birth', async (umask) => {
    const env = await envFixture('K=old\n');
    await chmod(env.path, 0o640);
    const { lines } = await program.run({
      slot: env.slot('K'),
      calls: [
        ['stage', 'r', NEW],
        ['arrange', 'r', 'new only'],
      ],
      umask,
    });
    // Root passes over a umask that takes away everything; others are refused, which is as good.
    const born = lines.flatMap((line) =>
      'point' in line && line.point.endsWith('temporary created') ? [line.modes] : [],
    );
    for (const modes of born) {
      const temporary = Object.entries(modes).filter(([name]) => name.endsWith('.tmp'));
      expect(temporary).toHaveLength(1);
      for (const [, mode] of temporary) expect(parseInt(mode, 8) & 0o177).toBe(0);
    }
    if (umask !== 0o777) {
      expect(ends(lines)).toEqual([{ done: 'stage' }, { done: 'arrange' }]);
      expect(((await stat(env.path)).mode & 0o777).toString(8)).toBe('640');
      expect(((await stat(`${env.path}.keyturn`)).mode & 0o777).toString(8)).toBe('600');
    }
    await env.close();
  });

  it.skipIf(!traced)(
    'the kernel sees no file created with a wider mode, and no write before the rename is synced',
    async () => {
      const env = await envFixture('K=old\n');
      const log = join(env.directory, '../', `${env.directory.split('/').at(-1) ?? ''}.strace`);
      await program.run(
        {
          slot: env.slot('K'),
          calls: [
            ['stage', 'r', NEW],
            ['arrange', 'r', 'new only'],
          ],
          umask: 0,
        },
        ['strace', '-f', '-y', '-o', log, '-e', 'trace=openat,fsync,rename'],
      );
      const calls = (await readFile(log, 'utf8')).split('\n').filter((line) => line.includes(env.directory));
      const created = calls.filter((line) => line.includes('O_CREAT'));
      expect(created.length).toBeGreaterThanOrEqual(4);
      for (const line of created) expect(line).toMatch(/O_EXCL.*, 0600\)|O_CREAT.*O_EXCL.*0600/);
      const order = calls.flatMap((line) => /(fsync|rename)\(/.exec(line)?.[1] ?? []);
      // File, name, directory, each time: staged, noted how far it comes, shown.
      const once = ['fsync', 'rename', 'fsync'];
      expect(order).toEqual([...once, ...once, ...once]);
      await execa('rm', ['-f', log]);
      await env.close();
    },
  );
});

describe.skipIf(!isRoot)('owners', () => {
  it('another owner and group are kept', async () => {
    const env = await envFixture('K=old\n');
    await chown(env.path, 12_345, 23_456);
    await chmod(env.path, 0o440);
    const { lines } = await program.run({
      slot: env.slot('K'),
      calls: [['preflight'], ['stage', 'r', NEW], ['arrange', 'r', 'new only']],
    });
    expect(ends(lines)).toEqual([{ done: 'preflight' }, { done: 'stage' }, { done: 'arrange' }]);
    const { uid, gid, mode } = await stat(env.path);
    expect([uid, gid, (mode & 0o777).toString(8)]).toEqual([12_345, 23_456, '440']);
    await env.close();
  });

  it('preflight finds out that a worker without the right cannot keep the owner, or cannot write', async () => {
    const setpriv = ['setpriv', '--reuid', '54321', '--regid', '54321', '--clear-groups'];
    const env = await envFixture('K=old\n');
    await chmod(env.path, 0o644);
    await chmod(env.directory, 0o777);
    const reachable = await execa('setpriv', [...setpriv.slice(1), 'test', '-r', program.path], { reject: false });
    if (reachable.exitCode === 0) {
      const job = { slot: env.slot('K'), calls: [['preflight']] as const };
      expect(ends((await program.run(job, setpriv)).lines)).toMatchObject([{ code: 'not-writable' }]);
      await chown(env.path, 54_321, 54_321);
      expect(ends((await program.run(job, setpriv)).lines)).toEqual([{ done: 'preflight' }]);
      await chmod(env.directory, 0o755);
      expect(ends((await program.run(job, setpriv)).lines)).toMatchObject([{ code: 'not-writable', effect: 'none' }]);
    } else {
      console.warn('skipped: another user cannot read the checkout');
    }
    await env.close();
  });
});

describe.skipIf(!namespaces)('mounts', () => {
  /** Runs the program in a mount namespace of its own, after `prepare` (a shell script that sees the directory as $D). */
  const inNamespace = (directory: string, prepare: string): readonly string[] => [
    ...['env', `D=${directory}`, 'unshare', '-m', '--propagation', 'private', 'sh', '-ec'],
    `${prepare}\nexec "$@"`,
    'sh',
  ];

  it('a full disk leaves the file as it was, no temporary file, and the same call succeeds later', async () => {
    const env = await envFixture('');
    const disk = join(env.directory, 'disk');
    await mkdir(disk);
    const value = `K=old # ${'x'.repeat(6_000)}`;
    await writeFile(join(env.directory, 'content'), `${value}\n`);
    const spec = { type: 'dotenv', file: join(disk, '.env') } as const;
    const after = 'cat "$D/disk/.env" > "$D/after"; ls -A "$D/disk" > "$D/names"';
    const run = (filler: string, calls: readonly (readonly ['stage', string, string])[]) =>
      program.run(
        { slot: { ...env.slot('K'), store: spec }, calls },
        // The wrapped program is not the last command: the disk is looked at after it, inside the namespace.
        [
          'env',
          `D=${env.directory}`,
          'unshare',
          '-m',
          '--propagation',
          'private',
          'sh',
          '-c',
          `set -e; mount -t tmpfs -o size=64k,mode=700 none "$D/disk"; cp "$D/content" "$D/disk/.env"; ${filler}; "$@"; ${after}`,
          'sh',
        ],
      );
    // Everything but one page is taken; the lock needs one, the sidecar's 6 KB original comment more than is left.
    const full = await run('head -c 53248 /dev/zero > "$D/disk/filler"', [
      ['stage', 'r', `${NEW}${'n'.repeat(9_000)}`],
    ]);
    expect([full.stderr, ends(full.lines)]).toMatchObject([
      '',
      [{ done: 'stage', code: 'not-writable', effect: 'none' }],
    ]);
    expect(await readFile(join(env.directory, 'after'), 'utf8')).toBe(`${value}\n`);
    expect((await readFile(join(env.directory, 'names'), 'utf8')).split('\n').sort()).toEqual(['', '.env', 'filler']);
    const roomy = await run('true', [['stage', 'r', `${NEW}${'n'.repeat(9_000)}`]]);
    expect(ends(roomy.lines)).toEqual([{ done: 'stage' }]);
    expect((await readFile(join(env.directory, 'names'), 'utf8')).split('\n').sort()).toEqual([
      '',
      '.env',
      '.env.keyturn',
    ]);
    await env.close();
  });

  it.each(['.env', 'my env'])(
    'a bind-mounted file (%s) is found out in preflight, and never half replaced',
    async (name) => {
      const env = await envFixture('K=old\n');
      const file = join(env.directory, name);
      await writeFile(file, 'K=old\n');
      await writeFile(join(env.directory, 'outside'), 'K=old-outside\n');
      const job = {
        slot: { ...env.slot('K'), store: { type: 'dotenv', file } as const },
        calls: [['preflight'], ['stage', 'r', NEW], ['arrange', 'r', 'new only']] as const,
      };
      const { lines } = await program.run(job, inNamespace(env.directory, `mount --bind "$D/outside" "$D/${name}"`));
      const [preflight, , arrange] = ends(lines);
      expect(preflight).toMatchObject({ code: 'not-writable', effect: 'none', hint: /mount the directory/ });
      // Whoever skips preflight gets the kernel's EBUSY, with the same advice, and nothing changed.
      expect(arrange).toMatchObject({ code: 'not-writable', effect: 'none', hint: /mount the directory/ });
      expect(await readFile(join(env.directory, 'outside'), 'utf8')).toBe('K=old-outside\n');
      expect((await readdir(env.directory)).some((each) => each.endsWith('.tmp'))).toBe(false);
      await env.close();
    },
  );

  it('a read-only file system is found out in preflight', async () => {
    const env = await envFixture('K=old\n');
    const job = { slot: env.slot('K'), calls: [['preflight'], ['stage', 'r', NEW]] as const };
    const { lines } = await program.run(
      job,
      inNamespace(env.directory, 'mount --bind "$D" "$D"; mount -o remount,ro,bind "$D"'),
    );
    expect(ends(lines)).toMatchObject([
      { done: 'preflight', code: 'not-writable', effect: 'none' },
      { done: 'stage', code: 'not-writable', effect: 'none' },
    ]);
    await env.close();
  });

  it('a mounted directory is fine: that is what the hint asks for', async () => {
    const env = await envFixture('K=old\n');
    const job = {
      slot: env.slot('K'),
      calls: [['preflight'], ['stage', 'r', NEW], ['arrange', 'r', 'new only']] as const,
    };
    const { lines } = await program.run(job, inNamespace(env.directory, 'mount --bind "$D" "$D"'));
    expect(ends(lines)).toEqual([{ done: 'preflight' }, { done: 'stage' }, { done: 'arrange' }]);
    expect(await env.text()).toBe(`K=${NEW}\n`);
    await env.close();
  });
});
