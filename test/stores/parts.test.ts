import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import { partOf, splicePart } from '../../src/stores/parts/part.js';

const anyText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });

function failure(run: () => unknown): KeyturnError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(KeyturnError);
    return error as KeyturnError;
  }
  throw new Error('it did not fail');
}

describe('a password or user in a URL', () => {
  const password = partOf({ url: 'password' });
  const user = partOf({ url: 'user' });

  it.each([
    ['postgres://app:pw@db:5432/app?a=1#x', 'app', 'pw'],
    ['postgresql+asyncpg://app:p%40s%3As@h1,h2/db', 'app', 'p@s:s'],
    ['redis://:only@host', undefined, 'only'],
    ['amqp://u%2Fv:a:b@h/%2F', 'u/v', 'a:b'],
    ['mongodb+srv://u:p@h/?x=a@b', 'u', 'p'],
    ['https://token@host/path', 'token', undefined],
  ])('%s', (url, expectedUser, expectedPassword) => {
    for (const [part, expected] of [
      [user, expectedUser],
      [password, expectedPassword],
    ] as const) {
      if (expected === undefined) expect(failure(() => part.locate(url)).code).toBe('not-found');
      else expect(part.locate(url).value).toBe(expected);
    }
  });

  it('any value reads back the same, with everything else untouched, also to URL()', () => {
    fc.assert(
      fc.property(anyText, (value) => {
        const url = splicePart(
          password,
          'postgres://app:old@db:5432/app?sslmode=require&options=-c%20x#f',
          password.encode(value),
        );
        expect(password.locate(url).value).toBe(value);
        expect(url.startsWith('postgres://app:') && url.endsWith('@db:5432/app?sslmode=require&options=-c%20x#f')).toBe(
          true,
        );
        expect(decodeURIComponent(new URL(url).password)).toBe(value);
        expect(url).toMatch(/^[A-Za-z0-9%._~:/@?=&#-]*$/);
      }),
    );
  });

  it.each([
    ['not-a-url-hunter22', 'malformed'],
    ['postgres://u:hunter22@h@db/x', 'malformed'],
    ['postgres://u:hunter22%zz@db/x', 'malformed'],
    ['postgres://u:hunter22/slash@db/x', 'not-found'],
    ['postgres://host-hunter22/x', 'not-found'],
    ['postgres://hunter22:@host/x', 'not-found'],
  ])('%s is refused without showing it', (url, code) => {
    const error = failure(() => password.locate(url));
    expect(error.code).toBe(code);
    expect(`${error.message} ${String(error.hint)} ${String(error.stack)} ${String(error.cause)}`).not.toContain(
      'hunter22',
    );
  });
});

describe('a field of a JSON text', () => {
  it.each([
    ['{"a":"x"}', '/a', 'x'],
    ['{ "a" : { "b/c" : [ 1, "y\\u0041" ] } }', '/a/b~1c/1', 'yA'],
    ['["x","y"]', '/1', 'y'],
    ['{"":"empty name","~":"t"}', '/~0', 't'],
    ['{"n":1.50e3,"t":true,"z":null,"o":{},"l":[],"s":"v"}', '/s', 'v'],
    ['{"k\\"ey":"{not: json}"}', '/k"ey', '{not: json}'],
  ])('%s at %s', (json, pointer, expected) => {
    const part = partOf({ json: pointer });
    expect(part.locate(json).value).toBe(expected);
    const changed = splicePart(part, json, part.encode('n"e\\w'));
    expect(part.locate(changed).value).toBe('n"e\\w');
    const place = part.locate(json);
    expect(splicePart(part, changed, json.slice(place.start, place.end))).toBe(json);
  });

  it('any value reads back the same in any document, and the rest of the text stays to the byte', () => {
    const space = fc.constantFrom('', ' ', '\n  ', '\t');
    fc.assert(
      fc.property(fc.jsonValue(), anyText, anyText, space, (other, name, value, gap) => {
        fc.pre(name !== 'other' && name !== 'tail');
        const head = `${gap}{${gap}"other"${gap}:${gap}${JSON.stringify(other, null, gap)},${gap}${JSON.stringify(name)}:${gap}`;
        const tail = `${gap},"tail":[${gap}]${gap}}${gap}`;
        const part = partOf({ json: `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}` });
        const changed = splicePart(part, `${head}"old"${tail}`, part.encode(value));
        expect(changed.startsWith(head) && changed.endsWith(tail)).toBe(true);
        expect((JSON.parse(changed) as Record<string, unknown>)[name]).toBe(value);
        expect(part.locate(changed).value).toBe(value);
        expect(part.encode(value)).not.toMatch(/['$`\\](?!u)/);
      }),
    );
  });

  it.each([
    ['{"a":"hunter22"', '/a', 'malformed'],
    ['{"a":"hunter22","a":"x"}', '/a', 'malformed'],
    ['{"a":"hunter22"}', '/b', 'not-found'],
    ['{"a":5,"b":"hunter22"}', '/a', 'not-found'],
    ['{"a":{"hunter22":1}}', '/a', 'not-found'],
    ['{"a":"","b":"hunter22"}', '/a', 'not-found'],
  ])('%s at %s is refused without showing it', (json, pointer, code) => {
    const error = failure(() => partOf({ json: pointer }).locate(json));
    expect(error.code).toBe(code);
    expect(`${error.message} ${String(error.hint)} ${String(error.stack)} ${String(error.cause)}`).not.toContain(
      'hunter22',
    );
  });
});

describe('other ways to write a connection', () => {
  it.each([
    ['jdbc:postgresql://db/app?user=app&password=hunter22', 'JDBC', 'in: variables'],
    ['host=db user=app password=hunter22', 'list of keywords', 'postgresql://USER:PASSWORD@HOST/DATABASE'],
    ['Server=db;User Id=app;Password=hunter22;', 'list of keywords', 'in: variables'],
    ['db/app', 'not a URL', 'scheme://'],
  ])('%s is named for what it is, with a hint that is right for it', (text, what, hint) => {
    const error = failure(() => partOf({ url: 'password' }).locate(text));
    expect(error.message).toContain(what);
    expect(error.hint).toContain(hint);
    expect(`${error.message} ${error.hint ?? ''}`).not.toContain('hunter22');
  });
});
