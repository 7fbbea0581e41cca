import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/domain/canonical-json.js';

describe('canonical JSON (RFC 8785)', () => {
  test("is the RFC's own example, section 3.2.2", () => {
    const data = {
      numbers: [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\\"\/',
      literals: [null, true, false],
    };
    expect(canonicalJson(data)).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  test('sorts keys by UTF-16 code units, section 3.2.3', () => {
    const data = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
    const keys = [...canonicalJson(data).matchAll(/:(\d)/g)].map(([, digit]) => digit);
    expect(keys.join('')).toBe('2467153');
  });

  test('does not depend on the order in which keys were set, and loses nothing', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
        const shuffled = Object.fromEntries(Object.entries(data).reverse());
        expect(canonicalJson(shuffled)).toBe(canonicalJson(data));
        expect(JSON.parse(canonicalJson(data))).toEqual(JSON.parse(JSON.stringify(data)));
      }),
    );
  });

  test.each([Number.NaN, Infinity, '\ud800', { a: '\udc00' }, [() => 1], 1n])(
    'refuses what JSON cannot hold: %s',
    (data) => {
      expect(() => canonicalJson(data)).toThrow('JSON cannot hold');
    },
  );
});
