import { describe, expect, test } from 'vitest';
import { strengthOf } from '../../src/inventory/generator-strength.js';
import { generatedLength, generateValue } from '../../src/stores/generate.js';

describe('what the inventory is checked with is what is generated', () => {
  test.each([
    'hex:16',
    'hex:32',
    'base64:31',
    'base64:32',
    'base64:33',
    'base64url:31',
    'base64url:48',
    'fernet',
    'test:16',
  ])('%s', (generator) => {
    const { shortest, bits, mayContain } = strengthOf(generator, 'SESSION_SECRET');
    expect(generatedLength(generator, 'SESSION_SECRET')).toBe(shortest);
    const value = generateValue(generator, 'SESSION_SECRET').reveal();
    for (const character of value) expect(mayContain(character)).toBe(true);
    expect(bits).toBe(generator === 'fernet' ? 256 : Number(generator.split(':')[1]) * 8);
  });

  test('no value of the usual generators contains a comma', () => {
    for (const generator of ['hex:32', 'base64:32', 'base64url:48', 'fernet', 'test:16']) {
      expect(strengthOf(generator, 'X').mayContain(',')).toBe(false);
    }
    expect(strengthOf('base64:32', 'X').mayContain('/')).toBe(true);
  });
});
