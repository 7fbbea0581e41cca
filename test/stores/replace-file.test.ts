/** What is made beside a file for a moment, while several runs look at one directory. */
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { probeDirectory, removeTemporaries } from '../../src/stores/files/replace-file.js';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-replace-'));
  path = join(directory, '.env');
  await writeFile(path, 'K=v\n');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('a directory that one run probes can be written, while others tidy it up', async () => {
  const times = Array.from({ length: 200 });
  const probes = times.map(() => probeDirectory(path, path));
  const others = times.map(() => removeTemporaries(path));
  await Promise.all([...probes, ...others]);
  expect(await readdir(directory)).toEqual(['.env']);
});

it('what a killed process has left is removed: a temporary file at once, a probe once nobody can need it', async () => {
  const left = ['tmp', 'probe'].map((kind) => join(directory, `..env.keyturn-0123456789abcdef.${kind}`));
  for (const each of left) await writeFile(each, '');
  await removeTemporaries(path);
  expect((await readdir(directory)).toSorted()).toEqual(['..env.keyturn-0123456789abcdef.probe', '.env']);

  await utimes(left[1] ?? '', new Date(0), new Date(0));
  await removeTemporaries(path);
  expect(await readdir(directory)).toEqual(['.env']);
});
