import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hmacSha256 } from '../../src/ciphers/hmac-sha256.js';

function codeOf(key: Buffer, message: Buffer): string {
  const code = Buffer.alloc(32);
  hmacSha256(key).write(message, code, 0);
  return code.toString('hex');
}

// RFC 4231, those with keys of at most a block.
const VECTORS = [
  [
    '0b'.repeat(20),
    Buffer.from('Hi There').toString('hex'),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  ],
  [
    Buffer.from('Jefe').toString('hex'),
    Buffer.from('what do ya want for nothing?').toString('hex'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  ['aa'.repeat(20), 'dd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
  [
    Array.from({ length: 25 }, (_, place) => (place + 1).toString(16).padStart(2, '0')).join(''),
    'cd'.repeat(50),
    '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
  ],
] as const;

test.each(VECTORS)('RFC 4231: key %s', (key, message, code) => {
  expect(codeOf(Buffer.from(key, 'hex'), Buffer.from(message, 'hex'))).toBe(code);
});

test('of any messages one after the other, whatever their lengths, it is what createHmac gives', () => {
  const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
  fc.assert(
    fc.property(bytes(64), fc.array(bytes(200), { minLength: 1 }), (key, messages) => {
      const hmac = hmacSha256(key);
      for (const message of messages) {
        const code = Buffer.alloc(34, 7);
        hmac.write(message, code, 1);
        expect(code.subarray(1, 33)).toEqual(createHmac('sha256', key).update(message).digest());
        expect([code[0], code[33]]).toEqual([7, 7]);
      }
    }),
  );
});

test('a key longer than a block is refused', () => {
  expect(() => hmacSha256(Buffer.alloc(65))).toThrow(RangeError);
});
