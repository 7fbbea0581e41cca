import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LEAST_RUN, Redactor } from '../../src/domain/redactor.js';
import { pinValues, redact, SecretValue } from '../../src/domain/secret-value.js';

const VALUE = 'aZ/3+q"9<x>&kJ7-pLw0Rt';
const one = (value: string): Redactor => {
  const redactor = new Redactor();
  redactor.add(value, '[secret]');
  return redactor;
};
const escapedAll = (text: string): string =>
  Array.from(text, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`).join('');
const percented = (text: string): string =>
  Array.from(text, (letter) => `%${letter.charCodeAt(0).toString(16)}`).join('');
const wrapped = (text: string, width: number): string => text.replace(new RegExp(`(.{${width}})`, 'g'), '$1\n    ');

test.each([
  ['with escaped slashes', JSON.stringify(VALUE).replaceAll('/', '\\/')],
  ['with \\u002B for +', VALUE.replace('+', '\\u002B').replace('"', '\\"')],
  ['in escapes only', escapedAll(VALUE)],
  ['in \\x escapes', VALUE.replace('+', '\\x2b')],
  [
    'percent-encoded in small letters',
    encodeURIComponent(VALUE)
      .toLowerCase()
      .replaceAll('az%', 'aZ%')
      .replace(/k.*$/, encodeURIComponent(VALUE.slice(12))),
  ],
  ['percent-encoded in small digits', VALUE.replace('/', '%2f').replace('+', '%2b').replace('"', '%22')],
  ['percent-encoded throughout', percented(VALUE)],
  ['in HTML', VALUE.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')],
  ['in numeric entities', VALUE.replace('+', '&#43;').replace('/', '&#x2F;').replace('<', '&#60;')],
  ['wrapped over lines', wrapped(VALUE, 5)],
  ['in base64 wrapped over lines', wrapped(Buffer.from(VALUE).toString('base64'), 8)],
  ['in hex wrapped over lines', wrapped(Buffer.from(VALUE).toString('hex'), 16)],
  ['in JSON in JSON', JSON.stringify(JSON.stringify({ v: VALUE }).replaceAll('/', '\\/'))],
  ['percent-encoded twice', encodeURIComponent(encodeURIComponent(VALUE))],
  ['after a backslash that is not its own', `\\${VALUE}`],
])('a value is taken out where it stands %s', (_how, written) => {
  const clean = one(VALUE).apply(`before ${written} after`);
  expect(clean).toMatch(/^before .* after$/s);
  expect(clean).toContain('[secret]');
  for (let at = 0; at + 6 <= VALUE.length; at += 1) expect(clean).not.toContain(VALUE.slice(at, at + 6));
  expect(clean.length).toBeLessThan(40);
});

test('any run of twelve characters goes, at any place and in any encoding; eleven say too little', () => {
  const redactor = one('0f1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdef');
  const value = '0f1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdef';
  for (let at = 0; at + LEAST_RUN <= value.length; at += 1) {
    expect(redactor.apply(`<${value.slice(at, at + LEAST_RUN)}>`)).toBe('<[secret]>');
    expect(redactor.apply(`<${value.slice(at, at + 30)}>`)).toBe('<[secret]>');
  }
  expect(redactor.apply(`<${value.slice(3, 14)}>`)).toBe(`<${value.slice(3, 14)}>`);
});

test('for any value, any run of it of twelve characters or more', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 24, maxLength: 48 }), fc.nat(), fc.nat(), (bytes, first, more) => {
      const value = Buffer.from(bytes).toString('base64url');
      const at = first % (value.length - LEAST_RUN);
      const run = value.slice(at, at + LEAST_RUN + (more % 8));
      expect(one(value).apply(`| ${run} |`)).not.toContain(run);
    }),
    { numRuns: 200 },
  );
});

test('an address is taken out whole: its host and its database stay readable in other texts', () => {
  const redactor = one('postgres://app:pw-12345678@db.example.test:5432/app');
  expect(redactor.apply('at postgres://app:pw-12345678@db.example.test:5432/app')).toBe('at [secret]');
  expect(redactor.apply('cannot reach db.example.test:5432')).toBe('cannot reach db.example.test:5432');
});

test('a credential is taken out whole: the name of its role stays readable, its password is a value of its own', () => {
  const redactor = one('["shop_app_20261121","pw-1234567890"]');
  expect(redactor.apply('now ["shop_app_20261121","pw-1234567890"]')).toBe('now [secret]');
  expect(redactor.apply('role shop_app_20261121 is there')).toBe('role shop_app_20261121 is there');
});

describe('a short value', () => {
  test.each(['abc12', '4711', 'a$1b', 'Xy9z'])('is taken out where it stands alone: %s', (value) => {
    expect(one(value).apply(`pin=${value}, x${value}x "${value}"`)).toBe(`pin=[secret], x${value}x "[secret]"`);
  });

  test.each(['user', 'ABCD', 'Anna', '123', 'a1'])('that is a word, or nothing much, stays: %s', (value) => {
    expect(one(value).apply(`the ${value} here`)).toBe(`the ${value} here`);
  });
});

test('what is pinned stays known, however much else is met, until it is no longer said', () => {
  const value = 'a-pinned-value-of-this-activity';
  pinValues([value]);
  for (let index = 0; index < 5_000; index += 1) new SecretValue(`certificate line ${index} ${index * 7}`);
  expect(redact(value)).toBe('[secret]');
  const certificates = Array.from({ length: 145 * 28 }, () => randomBytes(48).toString('base64'));
  pinValues([value, ...certificates]);
  expect(redact(`${value} ${certificates.at(-1) ?? ''}`)).toBe('[secret] [secret]');
  pinValues([]);
  expect(redact(value)).toBe(value);
});

describe('the time grows with the text only', () => {
  const values = Array.from({ length: 300 }, () => randomBytes(32).toString('base64'));
  const redactor = new Redactor();
  for (const value of values) redactor.add(value, '[secret]');
  redactor.add('a'.repeat(10_000), '[secret]');
  redactor.add('ab'.repeat(5_000), '[secret]');
  redactor.add('%25'.repeat(3_000), '[secret]');
  const took = (text: string): number => {
    // Of the processor, which is what a busy machine does not lengthen.
    const start = process.cpuUsage();
    redactor.apply(text);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1_000;
  };
  const shapes: [string, (size: number) => string][] = [
    ['log lines', (size) => 'web-1 | GET /api/health 200 in 3 ms\n'.repeat(size / 36)],
    ['one letter', (size) => 'a'.repeat(size)],
    ['two letters', (size) => 'ab'.repeat(size / 2)],
    ['percent signs', (size) => '%25'.repeat(size / 3)],
    ['backslashes', (size) => '\\'.repeat(size)],
    ['entities', (size) => '&#97;'.repeat(size / 5)],
    ['ampersands', (size) => '&'.repeat(size)],
    ['white space', (size) => ' \n'.repeat(size / 2)],
    ['beginnings of a value', (size) => (values[0]?.slice(0, 11) ?? '').repeat(size / 11)],
    [
      'values',
      (size) =>
        values
          .join('\n')
          .repeat(Math.ceil(size / 13_500))
          .slice(0, size),
    ],
  ];
  test.each(shapes)('%s', (_name, make) => {
    took(make(100_000));
    const [half, whole] = [
      Math.min(took(make(500_000)), took(make(500_000))),
      Math.min(took(make(1_000_000)), took(make(1_000_000))),
    ];
    expect(whole).toBeLessThan(Math.max(4 * half, 200));
    if (process.env['SHOW_TIMES']) console.log(_name, Math.round(whole), 'ms per MB');
  });
});
