/** The store of mounted files under the contract, for every exposure and for values inside a URL and a JSON text. */
import { existsSync } from 'node:fs';
import { vi } from 'vitest';
import type { Exposure, SecretSlot } from '../../src/domain/slot.js';
import { secretStoreContract, valueFor } from '../contracts/secret-store.contract.js';
import { secretsFixture } from './support/secrets-fixture.js';

// Real processes and real fsync on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const INITIAL = 'contract-initial-value-5a9d3e7c1b';

interface Shape {
  readonly name: string;
  readonly part?: NonNullable<SecretSlot['part']>;
  /** The file's text around a secret. */
  wrap(secret: string): string;
  unwrap(text: string): string;
  readonly unrepresentable?: string;
}

const SHAPES: readonly Shape[] = [
  {
    name: 'docker-secrets',
    wrap: (secret) => secret,
    unwrap: (text) => text,
    unrepresentable: 'a value that ends in a line feed\n',
  },
  {
    name: 'docker-secrets, password in a URL',
    part: { url: 'password' },
    wrap: (secret) => `postgres://app:${secret}@db:5432/app?sslmode=require&x=1\n`,
    unwrap: (text) => decodeURIComponent(/:\/\/[^:]*:([^@]*)@/.exec(text)?.[1] ?? ''),
  },
  {
    name: 'docker-secrets, field of a JSON document',
    part: { json: '/mail/password' },
    wrap: (secret) => `{\r\n  "mail": {"user":"u",  "password":"${secret}"},\r\n  "n": 1.0\r\n}\n`,
    unwrap: (text) => (JSON.parse(text) as { mail: { password: string } }).mail.password,
  },
];

const EXPOSURES: readonly Exposure[] = [
  { style: 'single' },
  { style: 'list', separator: ',' },
  { style: 'previous', variable: 'app_secret_previous' },
];

for (const shape of SHAPES) {
  for (const exposure of EXPOSURES) {
    secretStoreContract({
      name: shape.name,
      exposure,
      open: async () => {
        const secrets = await secretsFixture({ app_secret: shape.wrap(INITIAL), other_secret: 'another' });
        return {
          slot: secrets.slot('app_secret', { exposure, ...(shape.part && { part: shape.part }) }),
          initial: INITIAL,
          ...(shape.unrepresentable !== undefined && { unrepresentable: shape.unrepresentable }),
          reopen: () => secrets.store(),
          visible: async () => {
            const main = shape.unwrap(await secrets.text('app_secret'));
            const values = exposure.style === 'list' ? main.split(',') : [main];
            const second = existsSync(secrets.path('app_secret_previous'));
            return second ? [...values, shape.unwrap(await secrets.text('app_secret_previous'))] : values;
          },
          snapshot: () => secrets.snapshot(),
          edit: (value) => secrets.write('app_secret', shape.wrap(value)),
          close: () => secrets.close(),
        };
      },
    });
  }
}

const PAIR: Exposure = { style: 'pair', variable: 'database_password' };

secretStoreContract({
  name: 'docker-secrets, user and password',
  exposure: PAIR,
  open: async () => {
    const initial = valueFor(PAIR, INITIAL);
    const [user, password] = JSON.parse(initial) as [string, string];
    const secrets = await secretsFixture({ database_user: user, database_password: password, other_secret: 'another' });
    return {
      slot: secrets.slot('database_user', { exposure: PAIR }),
      initial,
      unrepresentable: valueFor(PAIR, 'a password that ends in a line feed\n'),
      reopen: () => secrets.store(),
      visible: async () => [
        JSON.stringify([await secrets.text('database_user'), await secrets.text('database_password')]),
      ],
      snapshot: () => secrets.snapshot(),
      edit: async (value) => {
        const [newUser, newPassword] = JSON.parse(value) as [string, string];
        await secrets.write('database_user', newUser);
        await secrets.write('database_password', newPassword);
      },
      close: () => secrets.close(),
    };
  },
});
