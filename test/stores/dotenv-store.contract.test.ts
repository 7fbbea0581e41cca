/** The dotenv store under the contract, for every exposure and for values inside a URL and a JSON text. */
import { parse } from 'dotenv';
import { vi } from 'vitest';
import { secretStoreContract, valueFor } from '../contracts/secret-store.contract.js';
import type { Exposure, SecretSlot } from '../../src/domain/slot.js';
import { envFixture } from './support/env-fixture.js';

// Real processes and real fsync on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const INITIAL = 'contract-initial-value-5a9d3e7c1b';

interface Shape {
  readonly name: string;
  readonly part?: NonNullable<SecretSlot['part']>;
  /** The variable's value around a secret. */
  wrap(secret: string): string;
  unwrap(value: string): string;
  readonly unrepresentable?: string;
}

const SHAPES: readonly Shape[] = [
  { name: 'dotenv', wrap: (secret) => secret, unwrap: (value) => value, unrepresentable: `it's $5 and "more"` },
  {
    name: 'dotenv, password in a URL',
    part: { url: 'password' },
    wrap: (secret) => `postgres://app:${secret}@db:5432/app?sslmode=require&x=1`,
    unwrap: (value) => decodeURIComponent(/:\/\/[^:]*:([^@]*)@/.exec(value)?.[1] ?? ''),
  },
  {
    name: 'dotenv, field of a JSON value',
    part: { json: '/mail/password' },
    wrap: (secret) => `{ "mail": {"user":"u",  "password":"${secret}"}, "n": 1.0 }`,
    unwrap: (value) => (JSON.parse(value) as { mail: { password: string } }).mail.password,
  },
];

const EXPOSURES: readonly Exposure[] = [
  { style: 'single' },
  { style: 'list', separator: ',' },
  { style: 'previous', variable: 'APP_SECRET_PREVIOUS' },
];

for (const shape of SHAPES) {
  for (const exposure of EXPOSURES) {
    secretStoreContract({
      name: shape.name,
      exposure,
      open: async () => {
        const text = (secret: string) =>
          `# app\nPORT=3000 # web\nAPP_SECRET='${shape.wrap(secret)}' # signs\nexport LAST="x"`;
        const env = await envFixture(text(INITIAL));
        return {
          slot: env.slot('APP_SECRET', { exposure, ...(shape.part && { part: shape.part }) }),
          initial: INITIAL,
          ...(shape.unrepresentable !== undefined && { unrepresentable: shape.unrepresentable }),
          reopen: () => env.store(),
          visible: async () => {
            const seen = parse(await env.text());
            const main = shape.unwrap(seen['APP_SECRET'] ?? '');
            const second = seen['APP_SECRET_PREVIOUS'];
            const values = exposure.style === 'list' ? main.split(',') : [main];
            return second === undefined ? values : [...values, shape.unwrap(second)];
          },
          snapshot: () => env.text(),
          edit: async (value) => {
            const changed = (await env.text()).replace(
              /^APP_SECRET=.*$/m,
              `APP_SECRET='${shape.wrap(value)}' # by hand`,
            );
            await env.write(changed);
          },
          close: () => env.close(),
        };
      },
    });
  }
}

const PAIR: Exposure = { style: 'pair', variable: 'APP_PASSWORD' };

secretStoreContract({
  name: 'dotenv, user and password',
  exposure: PAIR,
  open: async () => {
    const initial = valueFor(PAIR, INITIAL);
    const [user, password] = JSON.parse(initial) as [string, string];
    const env = await envFixture(
      `# app\nexport APP_PASSWORD="${password}" # opens\nPORT=3000 # web\nAPP_USER='${user}' # who\nexport LAST="x"`,
    );
    return {
      slot: env.slot('APP_USER', { exposure: PAIR }),
      initial,
      unrepresentable: valueFor(PAIR, `it's $5 and "more"`),
      reopen: () => env.store(),
      visible: async () => {
        const seen = parse(await env.text());
        return [JSON.stringify([seen['APP_USER'], seen['APP_PASSWORD']])];
      },
      snapshot: () => env.text(),
      edit: async (value) => {
        const [newUser, newPassword] = JSON.parse(value) as [string, string];
        const text = await env.text();
        await env.write(
          text
            .replace(/^APP_USER=.*$/m, `APP_USER=${newUser}`)
            .replace(/^export APP_PASSWORD=.*$/m, `APP_PASSWORD='${newPassword}' # by hand`),
        );
      },
      close: () => env.close(),
    };
  },
});
