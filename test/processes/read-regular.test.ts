/** Whoever names a path may name a pipe, a device or a directory; nothing waits for it, and nothing is read without an end. */
import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credentialResolver } from '../../src/activities/credentials.js';
import { offeredFile } from '../../src/activities/encryption/offered-file.js';
import { readManifest } from '../../src/backups/manifest.js';
import { readArchive } from '../../src/backups/restore.js';
import { loadInventory } from '../../src/inventory/load.js';
import { readRegular } from '../../src/processes/read-regular.js';
import { createSealer } from '../../src/backups/seal.js';
import { loadSidecar } from '../../src/stores/versions/sidecar.js';

const seals = createSealer('a fingerprint key of more than 32 characters');
let directory: string;
const at = (name: string): string => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-files-'));
  execFileSync('mkfifo', [at('pipe'), at('env.keyturn')]);
  await mkdir(at('folder'));
  await symlink('/dev/zero', at('zeros'));
  await writeFile(at('whole'), 'x'.repeat(100_000));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const NO_FILES = ['pipe', 'folder', 'zeros'];

describe.each(NO_FILES)('a %s is refused at once', (name) => {
  const refused = { code: 'not-a-file', message: expect.stringContaining('is not a regular file') as string };

  test('as a file', async () => {
    await expect(readRegular(at(name), 1_000)).rejects.toMatchObject(refused);
  });
  test('as an archive', async () => {
    await expect(readArchive([at(name)])).rejects.toMatchObject(refused);
  });
  test('as a credential', async () => {
    await expect(credentialResolver({})({ file: at(name) })).rejects.toMatchObject({
      ...refused,
      code: 'credential-missing',
    });
  });
  test('as a manifest, which hides no other one', async () => {
    expect(await readManifest(at(name), seals)).toEqual({ state: 'unreadable' });
  });
});

test.each(['pipe', 'zeros'])('a %s is refused as an inventory', async (name) => {
  await expect(loadInventory(at(name))).rejects.toThrow(/is not a regular file/);
});

test('a pipe is refused where Keyturn keeps versions', async () => {
  await expect(loadSidecar(at('env'))).rejects.toMatchObject({ code: 'not-a-file' });
});

test('a file is read up to its bound, whatever it says of its size', async () => {
  expect(await readRegular(at('whole'), 100_000)).toHaveLength(100_000);
  await expect(readRegular(at('whole'), 99_999)).rejects.toMatchObject({ code: 'too-large' });
  // Of the size 0, as it says.
  expect((await readRegular('/proc/self/status', 100_000)).length).toBeGreaterThan(0);
  await expect(readRegular(at('zeros'), 1_000, constants.O_NOFOLLOW)).rejects.toMatchObject({ code: 'ELOOP' });
});

describe('what is offered to a recovery', () => {
  beforeAll(async () => {
    await mkdir(at('safe'));
    await mkdir(at('safe-not'));
    await writeFile(at('safe/old.age'), 'x');
    await symlink(at('whole'), at('safe/out.age'));
    await symlink(directory, at('safe/up'));
    await symlink(at('safe'), at('mounted'));
  });

  test('may lie in a folder that the inventory names, under any name of that folder', () => {
    expect(offeredFile(at('safe/old.age'), [at('mounted')])).toBe(at('safe/old.age'));
    expect(offeredFile(at('mounted/old.age'), [at('safe')])).toBe(at('safe/old.age'));
    expect(offeredFile(at('safe/missing.age'), [at('safe')])).toBe(at('safe/missing.age'));
  });

  test.each(['safe/out.age', 'safe/up/whole', 'safe/../whole', 'safe-not/old.age', 'missing.age'])(
    'may not lie elsewhere: %s',
    (name) => {
      const attempt = (): string => offeredFile(at(name), [at('safe')]);
      expect(attempt).toThrow(/does not lie in a folder from which a recovery may read/);
      expect(attempt).toThrow(expect.objectContaining({ hint: expect.stringContaining(at('safe')) as string }));
    },
  );

  test('may lie nowhere when the inventory names no folder', () => {
    expect(() => offeredFile(at('safe/old.age'), [])).toThrow(
      expect.objectContaining({ code: 'not-offered', hint: expect.stringContaining('folders: […]') as string }),
    );
  });
});
