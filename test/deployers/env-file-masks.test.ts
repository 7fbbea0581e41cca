import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { masksOfEnvFile } from '../../src/deployers/env-file-masks.js';
import { assignments } from '../../src/processes/env-assignments.js';
import { cleanLines } from '../../src/processes/masks.js';

const directory = mkdtempSync(join(tmpdir(), 'keyturn-masks-'));
const file = join(directory, '.env');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function clean(env: string, output: string): Promise<string> {
  writeFileSync(file, env);
  return cleanLines(output, await masksOfEnvFile(file)).join('\n');
}

test('assignments are read in every dialect', () => {
  const text = [
    '# comment=not',
    'PLAIN=value-1 # a comment',
    'export EXPORTED=value-2\r',
    "SINGLE='va#l\\n3'",
    'DOUBLE="va\\"l\\n4"',
    'LINES="first',
    'second"',
    'EMPTY=',
    'SPACED = value 5 ',
  ].join('\n');
  expect(assignments(text)).toEqual([
    ['PLAIN', 'value-1'],
    ['EXPORTED', 'value-2'],
    ['SINGLE', 'va#l\\n3'],
    ['DOUBLE', 'va\\"l\\n4'],
    ['DOUBLE', 'va"l\n4'],
    ['LINES', 'first\nsecond'],
    ['LINES', 'first\nsecond'],
    ['EMPTY', ''],
    ['SPACED', 'value 5'],
  ]);
});

test('a value of the env file is masked by its name, as it is, URL-encoded, JSON-escaped and in base64', async () => {
  const value = 'pla"nted/4711+x';
  const forms = [value, encodeURIComponent(value), JSON.stringify(value), Buffer.from(value).toString('base64')];
  const shown = await clean(`SESSION_SECRET='${value}'`, forms.join('\n'));
  expect(shown).toBe(
    ['[$SESSION_SECRET]', '[$SESSION_SECRET]', '"[$SESSION_SECRET]"', '[$SESSION_SECRET]=']
      .join('\n')
      .replace(/=$/, '') + (forms[3]?.endsWith('=') ? '='.repeat(forms[3].split('=').length - 1) : ''),
  );
});

test('parts are masked too: one of a list, the password in a URL, a line of a key', async () => {
  const env = [
    'SESSION_SECRET=new-value-1111,old-value-2222',
    'DATABASE_URL=postgres://app:pass-word-3333@db/app',
    'PRIVATE_KEY="-----BEGIN\nline-4444-of-key\n-----END"',
  ].join('\n');
  const shown = await clean(env, 'old-value-2222\nauth pass-word-3333\nline-4444-of-key');
  expect(shown).toBe('[$SESSION_SECRET]\nauth [$DATABASE_URL]\n[$PRIVATE_KEY]');
});

test('what lies beside the env file is masked: values staged or left by a rotation', async () => {
  writeFileSync(`${file}.keyturn`, JSON.stringify({ pending: 'staged-value-0123456789' }));
  expect(await clean('A=1', 'got staged-value-0123456789')).toBe('got [secret]');
  rmSync(`${file}.keyturn`);
});

test('plain settings stay readable, unless their name says they are secret', async () => {
  const env = 'NODE_ENV=production\nDB_USER=mediavault\nHOST=127.0.0.1\nSMTP_PASSWORD=correcthorse';
  const shown = await clean(env, 'mediavault in production on 127.0.0.1 with correcthorse');
  expect(shown).toBe('mediavault in production on 127.0.0.1 with [$SMTP_PASSWORD]');
});

test('a value is masked before a long line is cut', async () => {
  const shown = await clean('TOKEN=planted-token-value', `${'x'.repeat(290)}planted-token-value`);
  expect(shown).not.toContain('planted');
  expect(shown.length).toBeLessThanOrEqual(300);
});

test('no value of eight odd characters or more survives, whatever it is', async () => {
  const value = fc.stringMatching(/^[A-Za-z0-9+/=_-]{8,40}$/);
  await fc.assert(
    fc.asyncProperty(value, async (secret) => {
      expect(await clean(`API_TOKEN=${secret}`, `before ${secret} after`)).not.toContain(` ${secret} `);
    }),
    { numRuns: 50 },
  );
});

test('an env file that cannot be read gives no masks and no error', async () => {
  expect((await masksOfEnvFile(join(directory, 'none'))).size).toBe(0);
});
