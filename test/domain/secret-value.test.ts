import { Console } from 'node:console';
import { PassThrough } from 'node:stream';
import { format, inspect } from 'node:util';
import fc from 'fast-check';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { redact, SecretValue } from '../../src/domain/secret-value.js';

const TEXT = 'pw/ä+"\\\n%40 0123456789abcdef';
const value = new SecretValue(TEXT);

function printed(how: (console: Console) => void): string {
  const stream = new PassThrough();
  how(new Console(stream, stream));
  return String(stream.read());
}

function logged(fields: object): string {
  const stream = new PassThrough();
  pino({}, stream).info(fields, 'hello');
  return String(stream.read());
}

describe('a secret value cannot be shown by accident:', () => {
  const holder = { value, list: [value], nested: { deep: { value } } };

  test.each<[string, string]>([
    // eslint-disable-next-line @typescript-eslint/restrict-template-expressions
    ['a template string', `${value}`],
    ['String()', String(value)],
    // eslint-disable-next-line @typescript-eslint/restrict-plus-operands
    ['concatenation', '' + value],
    ['join', [value, value].join()],
    ['JSON', JSON.stringify(holder)],
    ['JSON of a map', JSON.stringify([...new Map([['k', value]])])],
    ['util.inspect', inspect(holder, { depth: null, showHidden: true, getters: true })],
    ['util.inspect without custom inspectors', inspect(value, { customInspect: false, showHidden: true })],
    ['util.format %s', format('%s', value)],
    ['util.format %o', format('%o', holder)],
    ['util.format %j', format('%j', holder)],
    ['console.log', printed((console) => console.log(value, holder))],
    ['console.dir', printed((console) => console.dir(holder, { depth: null }))],
    ['console.table', printed((console) => console.table([holder]))],
    [
      'console.error of an error that carries it',
      printed((console) => console.error(Object.assign(new Error('x'), holder))),
    ],
    ['a JSON log line', logged(holder)],
    // eslint-disable-next-line @typescript-eslint/no-misused-spread
    ['object spread', JSON.stringify({ ...value })],
    ['its entries', JSON.stringify(Object.entries(Object.getOwnPropertyDescriptors(value)))],
    ['a structured clone', inspect(structuredClone(value))],
  ])('%s', (_how, shown) => {
    expect(shown).not.toContain('0123456789abcdef');
    expect(shown).not.toContain('pw/');
  });

  test('where it is meant to be seen it reads [secret], and only reveal() gives the text', () => {
    expect(String(value)).toBe('[secret]');
    expect(JSON.stringify({ value })).toBe('{"value":"[secret]"}');
    expect(inspect({ value })).toBe('{ value: [secret] }');
    expect(value.reveal()).toBe(TEXT);
    expect(value.length).toBe(TEXT.length);
  });

  test('equality is that of the texts', () => {
    expect(value.equals(new SecretValue(TEXT))).toBe(true);
    expect(value.equals(new SecretValue(`${TEXT}x`))).toBe(false);
  });
});

describe('redact takes a value out of a text', () => {
  test.each<[string, string]>([
    ['as it is', TEXT],
    ['URL-encoded', encodeURIComponent(TEXT)],
    ['in a URL made by URL', new URL(`http://u:${encodeURIComponent(TEXT)}@db.example.test/`).password],
    ['in a query string', new URLSearchParams({ p: TEXT }).toString().slice(2)],
    ['JSON-escaped', JSON.stringify({ password: TEXT })],
    ['in base64', Buffer.from(TEXT).toString('base64')],
    ['in base64 without padding', Buffer.from(TEXT).toString('base64').replaceAll('=', '')],
    ['in base64url', Buffer.from(TEXT).toString('base64url')],
    ['in hex', Buffer.from(TEXT).toString('hex')],
    ['in a Basic authorization header', `Basic ${Buffer.from(`smoke:${TEXT}`).toString('base64')}`],
    ['in base64, one byte into a text', Buffer.from(`x${TEXT}y`).toString('base64')],
    ['in base64, two bytes into a text', Buffer.from(`xx${TEXT}y`).toString('base64')],
  ])('%s', (_form, text) => {
    const clean = redact(`before ${text} after`);
    expect(clean).toContain('[secret]');
    expect(clean).toMatch(/^before .* after$/s);
    for (const piece of ['0123456789abcdef', Buffer.from('0123456789').toString('base64').slice(2, -4)]) {
      expect(clean).not.toContain(piece);
    }
  });

  test('every time it occurs, and every value', () => {
    const other = new SecretValue('another-value');
    expect(redact(`${TEXT}, ${other.reveal()}, ${TEXT}`)).toBe('[secret], [secret], [secret]');
  });

  test('the longer one first when one value begins with another', () => {
    new SecretValue('short-one');
    new SecretValue('short-one-and-its-longer-brother');
    expect(redact('x short-one-and-its-longer-brother y')).toBe('x [secret] y');
  });

  test('taken literally: signs of regular expressions and of replacement patterns mean nothing', () => {
    new SecretValue('$& .* (a|b)+ $1');
    expect(redact('x $& .* (a|b)+ $1 y')).toBe('x [secret] y');
  });

  test('but texts too short to be a value stay words', () => {
    new SecretValue('user');
    expect(redact('the user signed in')).toBe('the user signed in');
  });

  test('and leaves a text without values as it is', () => {
    expect(redact('web is not healthy: 503')).toBe('web is not healthy: 503');
  });

  test('for any value and any text around it', () => {
    // Alphabets of the generators, and what people type.
    const anyValue = fc.oneof(
      fc.uint8Array({ minLength: 8, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64')),
      fc.string({ minLength: 12, maxLength: 40 }).map((text) => `${text}ä€😀`),
    );
    fc.assert(
      fc.property(anyValue, (text) => {
        new SecretValue(text);
        const around = `<< ${text} | ${JSON.stringify(text)} | ${encodeURIComponent(text)} >>`;
        expect(redact(around)).not.toContain(text);
      }),
      { numRuns: 50 },
    );
  });
});

test('a lone surrogate in a value breaks neither remembering nor redacting', () => {
  new SecretValue('broken-\ud800-value');
  expect(redact('x broken-\ud800-value y')).toBe('x [secret] y');
});

test('the oldest values are forgotten when there are very many, so that memory and time stay bounded', () => {
  const oldest = new SecretValue('the-oldest-of-them-all');
  for (let index = 0; index < 4_096; index += 1) new SecretValue(`filler-value-${String(index)}`);
  expect(redact(oldest.reveal())).toBe(oldest.reveal());
  expect(redact('filler-value-4095')).toBe('[secret]');
});

test('meeting a value again keeps it from being forgotten', () => {
  const text = 'a-value-met-again-and-again';
  new SecretValue(text);
  for (let index = 0; index < 4_000; index += 1) new SecretValue(`other-filler-${String(index)}`);
  new SecretValue(text);
  for (let index = 0; index < 4_000; index += 1) new SecretValue(`third-filler-${String(index)}`);
  expect(redact(text)).toBe('[secret]');
});
