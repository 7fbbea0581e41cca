/** A worker killed at any point while it changes a directory of secrets, and mounts that cannot be changed. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SecretValue } from '../../src/domain/secret-value.js';
import type { Arrangement, Exposure } from '../../src/domain/slot.js';
import { secretsFixture, type SecretsFixture } from './support/secrets-fixture.js';
import { storeProgram, type Call, type Line, type StoreProgram } from './support/store-program.js';

// Real processes and real fsync on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const OLD = 'old-value-1234567890';
const NEW = 'new-value-0987654321';
const PREVIOUS: Exposure = { style: 'previous', variable: 'key_previous' };
const PAIR: Exposure = { style: 'pair', variable: 'password' };
const namespaces =
  process.geteuid?.() === 0 && (await execa('unshare', ['-m', 'true'], { reject: false })).exitCode === 0;
if (!namespaces) console.warn('skipped: mounts need root and permission to unshare');

interface Scene {
  readonly name: string;
  readonly exposure: Exposure;
  readonly before: readonly Call[];
  readonly call: Call;
}

const stage: Call = ['stage', 'r1', NEW];
const SCENES: readonly Scene[] = [
  { name: 'stage', exposure: PREVIOUS, before: [], call: stage },
  { name: 'accept the new one', exposure: PREVIOUS, before: [stage], call: ['arrange', 'r1', 'old, accept new'] },
  {
    name: 'sign with the new one',
    exposure: PREVIOUS,
    before: [stage, ['arrange', 'r1', 'old, accept new']],
    call: ['arrange', 'r1', 'new, accept old'],
  },
  {
    name: 'the new one alone',
    exposure: PREVIOUS,
    before: [stage, ['arrange', 'r1', 'new, accept old']],
    call: ['arrange', 'r1', 'new only'],
  },
  {
    name: 'back to the old one',
    exposure: PREVIOUS,
    before: [stage, ['arrange', 'r1', 'new, accept old']],
    call: ['arrange', 'r1', 'old only'],
  },
  {
    name: 'a pair',
    exposure: PAIR,
    before: [['stage', 'r1', JSON.stringify(['app_v2', NEW])]],
    call: ['arrange', 'r1', 'new only'],
  },
  {
    name: 'forget',
    exposure: PREVIOUS,
    before: [stage, ['arrange', 'r1', 'new only']],
    call: ['forget', 'r1'],
  },
];

let program: StoreProgram;
beforeAll(async () => {
  program = await storeProgram();
});
afterAll(() => program.remove());

function scenery({ exposure }: Scene): Promise<SecretsFixture> {
  return secretsFixture(exposure.style === 'pair' ? { key: 'app_v1', password: OLD } : { key: OLD });
}

async function perform(secrets: SecretsFixture, { exposure }: Scene, calls: readonly Call[]): Promise<void> {
  const slot = secrets.slot('key', { exposure });
  for (const call of calls) {
    if (call[0] === 'stage') await secrets.store().stage(slot, call[1], () => new SecretValue(call[2]));
    if (call[0] === 'arrange') await secrets.store().arrange(slot, call[1], call[2] as Arrangement);
    if (call[0] === 'forget') await secrets.store().forget(slot, call[1]);
  }
}

/** All that is left in the world, staging times and locks aside. */
async function world(secrets: SecretsFixture): Promise<unknown> {
  const kept = await readFile(join(secrets.home, 'secrets.keyturn'), 'utf8').catch(() => null);
  const names = (await readdir(secrets.home)).filter((name) => !name.endsWith('.lock')).sort();
  return [names, await secrets.snapshot(), kept?.replace(/"stagedAt": "[^"]*"/, '')];
}

it.each(SCENES)('$name: completes after a kill at every point that leaves a trace', async (scene) => {
  const clean = await scenery(scene);
  await perform(clean, scene, scene.before);
  const job = (secrets: SecretsFixture) => ({
    slot: secrets.slot('key', { exposure: scene.exposure }),
    calls: [scene.call],
  });
  const { lines } = await program.run(job(clean));
  const expected = await world(clean);
  const points = lines.flatMap((line) => ('point' in line ? [line.point] : []));
  expect(points.length).toBeGreaterThanOrEqual(2);
  for (const point of points) {
    const secrets = await scenery(scene);
    await perform(secrets, scene, scene.before);
    const { signal } = await program.run({ ...job(secrets), killAt: point });
    expect([point, signal]).toEqual([point, 'SIGKILL']);
    for (const name of await readdir(secrets.directory)) {
      if (name.startsWith('.')) continue;
      expect([OLD, NEW, 'app_v1', 'app_v2', '']).toContain(await secrets.text(name));
    }
    await perform(secrets, scene, [scene.call]);
    expect([point, await world(secrets)]).toEqual([point, expected]);
    expect((await readdir(secrets.directory)).filter((name) => name.startsWith('.'))).toEqual([]);
    await secrets.close();
  }
  await clean.close();
});

describe.skipIf(!namespaces)('mounts', () => {
  const ends = (lines: readonly Line[]) => lines.filter((line) => 'done' in line);
  /** Runs the program in a mount namespace of its own, after `prepare` (a shell script that sees the home as $D). */
  const inNamespace = (home: string, prepare: string): readonly string[] => [
    ...['env', `D=${home}`, 'unshare', '-m', '--propagation', 'private', 'sh', '-ec'],
    `${prepare}\nexec "$@"`,
    'sh',
  ];
  const calls: readonly Call[] = [['preflight'], ['stage', 'r', NEW], ['arrange', 'r', 'new only']];

  it('a file that is mounted by itself, as a container sees it, is found out in preflight and never half replaced', async () => {
    const secrets = await secretsFixture({ key: OLD });
    await writeFile(join(secrets.home, 'outside'), OLD);
    const job = { slot: secrets.slot('key'), calls };
    const { lines } = await program.run(job, inNamespace(secrets.home, 'mount --bind "$D/outside" "$D/secrets/key"'));
    const [preflight, , arrange] = ends(lines);
    expect(preflight).toMatchObject({ code: 'not-writable', effect: 'none', hint: /mount the directory/ });
    expect(arrange).toMatchObject({ code: 'not-writable', effect: 'none', hint: /mount the directory/ });
    expect(await readFile(join(secrets.home, 'outside'), 'utf8')).toBe(OLD);
    expect(await readdir(secrets.directory)).toEqual(['key']);
    await secrets.close();
  });

  it.each([
    ['a read-only directory', 'mount --bind "$D/secrets" "$D/secrets"; mount -o remount,ro,bind "$D/secrets"'],
    [
      'nothing writable beside it',
      'mount --bind "$D/secrets" "$D/secrets"; mount --rbind "$D" "$D"; mount -o remount,ro,bind "$D"',
    ],
  ])('%s is found out in preflight', async (_, prepare) => {
    const secrets = await secretsFixture({ key: OLD });
    const { lines } = await program.run(
      { slot: secrets.slot('key'), calls: [['preflight']] },
      inNamespace(secrets.home, prepare),
    );
    expect(ends(lines)).toMatchObject([{ code: 'not-writable', effect: 'none', message: /EROFS|read-only/ }]);
    await secrets.close();
  });

  it('a directory in memory is remarked upon: what is staged there does not outlive a restart', async () => {
    const secrets = await secretsFixture({});
    await mkdir(join(secrets.home, 'run'));
    const store = { type: 'docker-secrets', directory: join(secrets.home, 'run/s') } as const;
    const prepare = 'mount -t tmpfs none "$D/run"; mkdir "$D/run/s"; printf %s aaaa-bbbb > "$D/run/s/key"';
    const wrapper = inNamespace(secrets.home, prepare);
    const { lines } = await program.run(
      { slot: secrets.slot('key', { store }), calls: [['preflight']], verbose: true },
      wrapper,
    );
    expect(ends(lines)).toMatchObject([{ done: 'preflight', said: /kept in memory/ }]);
    await secrets.close();
  });
});
