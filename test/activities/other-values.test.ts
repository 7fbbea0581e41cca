import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { judgeOthers } from '../../src/activities/other-values.js';
import type { RotationPlan } from '../../src/domain/plan.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import type { Exposure, SecretSlot } from '../../src/domain/slot.js';
import { createFingerprinter } from '../../src/stores/fingerprint.js';
import { openStore } from '../../src/stores/open-store.js';

const deps = { fingerprint: createFingerprinter('a key of at least thirty-two characters') };
const OVERLAP = { window: '1h' } as unknown as RotationPlan['overlap'];
const PREVIOUS: Exposure = { style: 'previous', variable: 'K_PREVIOUS' };
const [NOW, OLDER] = ['value-in-use-1234567890', 'older-value-1234567890'];

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-others-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** @param second undefined: there is none. */
async function slotOf(
  type: 'dotenv' | 'docker-secrets',
  exposure: Exposure,
  first: string,
  second?: string,
): Promise<SecretSlot> {
  if (type === 'dotenv') {
    const file = join(directory, '.env');
    await writeFile(file, `K=${first}\n${second === undefined ? '' : `K_PREVIOUS=${second}\n`}`);
    return { store: { type, file }, key: 'K', exposure };
  }
  const secrets = join(directory, 'secrets');
  await mkdir(secrets);
  await writeFile(join(secrets, 'K'), first);
  if (second !== undefined) await writeFile(join(secrets, 'K_PREVIOUS'), second);
  return { store: { type, directory: secrets }, key: 'K', exposure };
}

test.each(['dotenv', 'docker-secrets'] as const)(
  '%s: a second value that a person has put there is not overwritten',
  async (type) => {
    const slot = await slotOf(type, PREVIOUS, NOW, OLDER);
    await expect(judgeOthers({ slot, overlap: OVERLAP }, deps)).rejects.toMatchObject({
      code: 'second-in-use',
      message: expect.stringMatching(
        /^K_PREVIOUS holds a value that Keyturn did not put there: it would be overwritten/,
      ) as string,
    });
    // After a leak there is no overlap, and the second value goes with the first: that is said.
    expect(await judgeOthers({ slot, overlap: null }, deps)).toMatchObject({
      warning: expect.stringContaining('it is emptied') as string,
    });
  },
);

test.each(['dotenv', 'docker-secrets'] as const)(
  '%s: no second value, an empty one, the same one, or one of a rotation is in nobody’s way',
  async (type) => {
    for (const second of [undefined, '', NOW]) {
      const slot = await slotOf(type, PREVIOUS, NOW, second);
      expect(await judgeOthers({ slot, overlap: OVERLAP }, deps)).toBe('none');
      const store = openStore(slot.store, deps);
      await store.stage(slot, 'r1', () => new SecretValue('a-fresh-value-1234567890'));
      for (const arrangement of ['old, accept new', 'new, accept old', 'new only'] as const) {
        await store.arrange(slot, 'r1', arrangement);
        expect(await judgeOthers({ slot, overlap: OVERLAP }, deps)).toBe('none');
      }
      await rm(directory, { recursive: true });
      await mkdir(directory);
    }
  },
);

test('further values of a list are told, and stay accepted meanwhile', async () => {
  const slot = await slotOf('dotenv', { style: 'list', separator: ',' }, `${NOW},${OLDER}`);
  expect(await judgeOthers({ slot, overlap: OVERLAP }, deps)).toMatch(/^1 more in the list/);
});
