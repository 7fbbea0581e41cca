import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { judgeDurability } from '../../src/activities/encryption/durability.js';

async function directory(within: string): Promise<string> {
  const made = await mkdtemp(join(within, 'keyturn-durability-'));
  onTestFinished(() => rm(made, { recursive: true }));
  return made;
}

// Linux keeps it in memory.
it.runIf(existsSync('/dev/shm'))('a key that waits in memory is warned of, behind symlinks too', async () => {
  const [memory, place] = [await directory('/dev/shm'), await directory(tmpdir())];
  await writeFile(join(memory, '.env'), 'KEY=x\n');
  await mkdir(join(memory, 'secrets'));
  await symlink(join(memory, 'secrets'), join(place, 'secrets'));
  const dotenv = { type: 'dotenv', file: join(memory, '.env') } as const;
  expect(await judgeDurability(dotenv, { backups: [] })).toEqual({
    warning: expect.stringMatching(/is kept in memory: .*describe a backup of the key/) as string,
  });
  expect(
    await judgeDurability({ type: 'docker-secrets', directory: join(place, 'secrets') }, { backups: ['key'] }),
  ).toEqual({ warning: expect.stringContaining('but for its backup (key)') as string });
});

it('a key that waits on a disk is not', async () => {
  const store = { type: 'dotenv', file: join(process.cwd(), 'package.json') } as const;
  expect(await judgeDurability(store, { backups: [] })).toBe('is kept on a disk');
});
