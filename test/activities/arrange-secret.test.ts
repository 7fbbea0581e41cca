import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ActivityDeps } from '../../src/activities/deps.js';
import { arrangeSecret } from '../../src/activities/secrets.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import type { SecretSlot } from '../../src/domain/slot.js';
import { createFingerprinter } from '../../src/stores/fingerprint.js';
import { openStore } from '../../src/stores/open-store.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-arrange-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

it('says whether the store was changed, and that a repeated attempt cannot know', async () => {
  const file = join(directory, '.env');
  await writeFile(file, 'SECRET=old-value-of-this-test\n');
  const slot: SecretSlot = { store: { type: 'dotenv', file }, key: 'SECRET', exposure: { style: 'single' } };
  const deps = { fingerprint: createFingerprinter('key'), variables: {} } as unknown as ActivityDeps;
  await openStore(slot.store, deps).stage(slot, 'run', () => new SecretValue('new-value-of-this-test'));
  const changed = async (arrangement: 'old only' | 'new only', sinceFirstAttempt = 0) =>
    (await arrangeSecret({ slot, rotation: 'run', arrangement }, deps, { sinceFirstAttempt })).facts?.['changed'];

  expect(await changed('old only')).toBe(false);
  expect(await changed('new only')).toBe(true);
  expect(await changed('new only')).toBe(false);
  expect(await changed('new only', 1_000)).toBe(true);
  expect(await changed('old only')).toBe(true);
});
