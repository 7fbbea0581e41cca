import { describe, expect, test } from 'vitest';
import { MOST_NONCES, parseVerdict, parseWell } from '../../src/domain/wave-messages.js';

const WELL = { ref: 'mediavault/staging/DATABASE_URL', nonce: 'a' };
const VERDICT = { goOn: false, why: 'production did not get there', nonces: ['a', 'b'] };

describe('what runs say to each other in waves', () => {
  test('is taken as it is', () => {
    expect(parseWell(WELL)).toEqual(WELL);
    expect(parseVerdict(VERDICT)).toEqual(VERDICT);
  });

  test('may say more than this worker knows', () => {
    expect(parseWell({ ...WELL, since: 'v2' })).toEqual(WELL);
    expect(parseVerdict({ ...VERDICT, since: 'v2' })).toEqual(VERDICT);
  });

  test.each([undefined, null, 'well', [], {}, { ref: WELL.ref }, { ...WELL, nonce: '' }, { ...WELL, nonce: 1 }])(
    'a "well" is not %j',
    (input) => expect(parseWell(input)).toBeNull(),
  );

  test.each([
    undefined,
    null,
    true,
    {},
    { goOn: true },
    { ...VERDICT, goOn: 'no' },
    { ...VERDICT, nonces: [] },
    { ...VERDICT, nonces: 'a' },
    { ...VERDICT, nonces: Array.from({ length: MOST_NONCES + 1 }, (_, n) => `n${n}`) },
  ])('a verdict is not %j', (input) => expect(parseVerdict(input)).toBeNull());
});
