import fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildArray, parseArray, pick } from '../../src/reencryption/binary-array.js';

const elements = fc.array(fc.option(fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))));

test('what is built reads the same, NULLs and empty elements apart', () => {
  fc.assert(
    fc.property(elements, fc.nat(2 ** 32 - 1), (all, elementType) => {
      expect(parseArray(buildArray({ elementType, elements: all }))).toEqual({ elementType, elements: all });
    }),
  );
});

test('some elements in any order are those elements', () => {
  const array = buildArray({ elementType: 25, elements: [Buffer.from('a'), null, Buffer.from('ccc')] });
  expect(parseArray(pick(array, [2, 1])).elements).toEqual([Buffer.from('ccc'), null]);
  expect(parseArray(pick(array, [])).elements).toEqual([]);
});

test('an array without dimensions, as the server sends an empty one, has no elements', () => {
  const empty = Buffer.alloc(12);
  empty.writeUInt32BE(25, 8);
  expect(parseArray(empty)).toEqual({ elementType: 25, elements: [] });
});
