import { expect, test } from 'vitest';
import { namesOf, pathOf, placeIn, placeInWords, samePlace, withPath } from '../../src/domain/place.js';
import type { SecretSlot } from '../../src/domain/slot.js';

const ENV = { type: 'dotenv', file: '/srv/.env' } as const;
const SECRETS = { type: 'docker-secrets', directory: '/srv/secrets/' } as const;
const slot = (store: SecretSlot['store'], exposure: SecretSlot['exposure'] = { style: 'single' }): SecretSlot => ({
  store,
  key: 'secret_key',
  exposure,
});

test('a store has one path, and any change of it keeps the rest', () => {
  expect([ENV, SECRETS].map(pathOf)).toEqual(['/srv/.env', '/srv/secrets/']);
  expect([ENV, SECRETS].map((store) => withPath(store, (path) => `/mnt${path}`))).toEqual([
    { type: 'dotenv', file: '/mnt/srv/.env' },
    { type: 'docker-secrets', directory: '/mnt/srv/secrets/' },
  ]);
});

test('a place is said in words that name the key and where it stands', () => {
  expect([slot(ENV), slot(SECRETS)].map(placeInWords)).toEqual([
    'secret_key in /srv/.env',
    'secret_key in /srv/secrets/',
  ]);
});

test('a variable is a place in its file, and a file of a directory one as a whole', () => {
  const variable = placeIn(ENV, 'A');
  const file = placeIn(SECRETS, 'a');
  expect([variable, file]).toEqual([
    { file: '/srv/.env', variable: 'A' },
    { file: '/srv/secrets/a', variable: null },
  ]);
  expect(samePlace(variable, placeIn(ENV, 'B'))).toBe(false);
  expect(samePlace(file, placeIn(SECRETS, 'b'))).toBe(false);
  expect(samePlace(file, placeIn({ type: 'dotenv', file: '/srv/secrets/a' }, 'A'))).toBe(true);
});

test('a slot has a second name where its exposure has one', () => {
  expect(namesOf(slot(SECRETS))).toEqual(['secret_key']);
  expect(namesOf(slot(SECRETS, { style: 'previous', variable: 'old_key' }))).toEqual(['secret_key', 'old_key']);
});
