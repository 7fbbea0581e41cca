import { expect, test } from 'vitest';
import { resolvePointer } from '../../src/checks/json-pointer.js';

// The document and the answers of RFC 6901, section 5.
const document = {
  foo: ['bar', 'baz'],
  '': 0,
  'a/b': 1,
  'c%d': 2,
  'e^f': 3,
  'g|h': 4,
  'i\\j': 5,
  'k"l': 6,
  ' ': 7,
  'm~n': 8,
};

test.each([
  ['', document],
  ['/foo', ['bar', 'baz']],
  ['/foo/0', 'bar'],
  ['/', 0],
  ['/a~1b', 1],
  ['/c%d', 2],
  ['/e^f', 3],
  ['/g|h', 4],
  ['/i\\j', 5],
  ['/k"l', 6],
  ['/ ', 7],
  ['/m~0n', 8],
])('%j points to what RFC 6901 says', (pointer, expected) => {
  expect(resolvePointer(document, pointer)).toEqual(expected);
});

test.each(['/bar', '/foo/2', '/foo/-', '/foo/00', '/foo/length', '/constructor', '/foo/0/0', 'foo'])(
  '%j points to nothing',
  (pointer) => {
    expect(resolvePointer(document, pointer)).toBeUndefined();
  },
);

test('~01 is ~1, not a slash', () => {
  expect(resolvePointer({ '~1': 'tilde one', '/': 'slash' }, '/~01')).toBe('tilde one');
});

test('null is a value, not an absence', () => {
  expect(resolvePointer({ user: null }, '/user')).toBeNull();
  expect(resolvePointer({ user: null }, '/user/name')).toBeUndefined();
});
