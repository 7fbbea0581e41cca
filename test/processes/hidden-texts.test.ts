import { expect, test } from 'vitest';
import { textsOfEnvFile, textsOfSecretFile, textsOfSidecar } from '../../src/processes/hidden-texts.js';

test.each([
  ['SESSION_SECRET=0123456789abcdef', ['0123456789abcdef']],
  ['SMTP_PASS=hunter22', ['hunter22']],
  ['ADMIN_PASSWORD=correcthorse', ['correcthorse']],
  ['STRIPE=sk_live_4242abcd', ['sk_live_4242abcd']],
  ['PIN_CODE=48151623', ['48151623']],
  ['HOOK=https://hooks.example.test/services/T0AB/x8Yz93Q', ['https://hooks.example.test/services/T0AB/x8Yz93Q']],
  ['KEYS=k1-abcdef99,k2-fedcba11', ['k1-abcdef99,k2-fedcba11', 'k1-abcdef99', 'k2-fedcba11']],
  ['DATABASE_URL=postgres://app:p%40ss-77@db/x', ['postgres://app:p%40ss-77@db/x', 'p%40ss-77', 'p@ss-77']],
  [`MAIL='{"user":"noreply","password":"m41l-9982"}'`, ['{"user":"noreply","password":"m41l-9982"}', 'm41l-9982']],
])('what may be a secret is hidden, whole and in the parts that show up alone: %s', (line, expected) => {
  expect(textsOfEnvFile(line)).toEqual(expected);
});

test('what is plainly a setting stays readable', () => {
  const settings = [
    'NODE_ENV=production',
    'TTL=86400000',
    'REGION=eu-central-1',
    'DB_USER=shop_app_20261121',
    'DATABASE_HOST=db-7.internal',
    'BASE_URL=http://127.0.0.1:3000/api/v1',
    'DATA_DIR=/srv/shop/data',
    'MAIL_FROM=noreply@shop.example.test',
  ];
  expect(textsOfEnvFile(settings.join('\n'))).toEqual([]);
});

test('of a sidecar both values are hidden, and how the variable was; the names of roles are not', () => {
  const entry = { key: 'KEYS', exposure: { style: 'list', separator: ',' }, rotation: 'r-1', rest: ['rest-77'] };
  const list = { ...entry, old: 'old-77', new: 'new-77', original: { raw: "'old-77,rest-77'" }, second: null };
  const pair = {
    key: 'DB_USER',
    exposure: { style: 'pair', variable: 'DB_PASSWORD' },
    old: '["shop_app","pass-1"]',
    new: '["shop_app_20261121","pass-2"]',
    rest: [],
    original: { raw: "'shop_app'", value: 'shop_app', piece: 'shop_app' },
    second: { raw: "'pass-1'", value: 'pass-1' },
  };
  const hidden = (entries: object): string[] => textsOfSidecar(JSON.stringify({ version: 1, entries }));
  expect(hidden({ KEYS: list })).toEqual(expect.arrayContaining(['old-77', 'new-77', 'rest-77', 'old-77,rest-77']));
  expect(hidden({ DB_USER: pair })).toEqual([pair.old, 'pass-1', pair.new, 'pass-2', 'pass-1', 'pass-1']);
});

test('of a sidecar that is cut off everything as long as a value is hidden', () => {
  expect(textsOfSidecar('{"entries": {"A": {"old": "planted-old-90210", "ne')).toContain('planted-old-90210');
});

test.each([
  ['secret_key', '0123456789abcdef', ['0123456789abcdef']],
  ['secret_key', 'production', ['production']],
  ['tls', 'line-1-abcdef\nline-2-abcdef\n', ['line-1-abcdef\nline-2-abcdef\n', 'line-1-abcdef\nline-2-abcdef']],
  [
    'mail.json',
    '{"user":"noreply","password":"m41l-9982"}\n',
    ['{"user":"noreply","password":"m41l-9982"}\n', 'm41l-9982'],
  ],
  ['database_user', 'shop_app_20261121', []],
  ['secret_key_previous', '', []],
])('a file of secrets is hidden as a whole and in the parts that show up alone: %s', (name, text, expected) => {
  expect(textsOfSecretFile(name, text)).toEqual(expect.arrayContaining(expected));
  if (expected.length === 0) expect(textsOfSecretFile(name, text)).toEqual([]);
});
