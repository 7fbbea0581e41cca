/** Env files as they are met: lines that not every program reads, values that contain others, files that tools have encrypted. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import type { SecretSlot } from '../../src/domain/slot.js';
import type { ReaderName, StoreSpec } from '../../src/domain/specs/store.js';
import { openStore } from '../../src/stores/open-store.js';
import { referencesIn } from '../../src/stores/dotenv/references.js';
import { fingerprint } from './support/env-fixture.js';

const NEW = '0123456789abcdef0123456789abcdef';
const directories: string[] = [];
afterEach(async () => {
  await Promise.all(directories.splice(0).map((directory) => rm(directory, { recursive: true, force: true })));
});

interface Env {
  readonly slot: SecretSlot;
  readonly text: () => Promise<string>;
}

async function fileWith(text: string, readers?: readonly ReaderName[], more: Partial<SecretSlot> = {}): Promise<Env> {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-awkward-'));
  directories.push(directory);
  const file = join(directory, '.env');
  await writeFile(file, text);
  const store = { type: 'dotenv', file, ...(readers && { readers: [...readers] }) } satisfies StoreSpec;
  return { slot: { store, key: 'SECRET', exposure: { style: 'single' }, ...more }, text: () => readFile(file, 'utf8') };
}

const storeOf = ({ slot }: Env) => openStore(slot.store, { fingerprint });

async function rotated(env: Env, value = NEW): Promise<string> {
  const store = storeOf(env);
  await store.preflight(env.slot);
  await store.stage(env.slot, 'r', () => new SecretValue(value));
  await store.arrange(env.slot, 'r', 'new only');
  return await env.text();
}

async function refusal(env: Env): Promise<KeyturnError> {
  const before = await env.text();
  const error: unknown = await rotated(env).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(KeyturnError);
  expect(await env.text()).toBe(before);
  return error as KeyturnError;
}

/** Lines of real files, beside a secret that has nothing to do with them. */
const LINES = {
  'a router rule': 'RULE=Host(`shop.test`) && PathPrefix(`/api`)',
  'a name in parentheses': 'NAME=Shop (beta)',
  'an address in angle brackets': 'FROM=Shop <a@b.test>',
  'an apostrophe': "TITLE=Bob's shop",
  'a dotted key': 'spring.mail.host=mail',
  'a dashed key': 'next-public-url=http://shop.test',
  'spaces around the equals sign': 'PORT = 3000',
  'a cron line': 'CRON=*/5 * * * *',
  'a pipe and a semicolon': 'FLAGS=a|b;c',
  'a dollar sign in a price': 'PRICE=cost $5 (net)',
} as const;

describe.each(Object.entries(LINES))('%s beside the secret', (_, line) => {
  const text = (secret: string): string => `# shop\n${line}\nSECRET=${secret}\nLAST="x"\n`;

  it.each([
    ['Compose alone reads the file', ['compose']],
    ['a Node library reads it', ['npm-dotenv']],
    ['a Python library reads it', ['python-dotenv']],
    ['nobody has said who reads it', undefined],
  ] as const)('%s: the secret changes, and not a byte beside it', async (__, readers) => {
    expect(await rotated(await fileWith(text('old-value-1234567890'), readers))).toBe(text(NEW));
  });
});

it('the line at fault is named, and not the one of the secret', async () => {
  const error = await refusal(await fileWith('A=1\nSECRET=old-value-123456\nNAME=Shop (beta)\n', ['compose', 'bash']));
  expect(error.code).toBe('malformed');
  expect(error.message).toMatch(/\.env:3: bash cannot read line 3, so it does not get SECRET$/);
  expect(error.hint).toContain('put NAME in single quotes');
  expect(error.hint).toContain('readers: [compose]');
});

it('bash has read what stands above the line that it cannot read, so there it must agree', async () => {
  const quoted = await fileWith('SECRET=old\\-value-123456\nNAME=Shop (beta)\n');
  expect((await refusal(quoted)).message).toMatch(/\.env:1: programs read SECRET differently/);
});

it('a reader that is passed over is named in readiness', async () => {
  const env = await fileWith('NAME=Shop (beta)\nSECRET=old-value-123456\n');
  const { summary } = await storeOf(env).preflight(env.slot);
  expect(summary).toContain('bash cannot read line 1, so it is taken not to read this file');
});

it('a file that docker run reads raw keeps its quotes for a part of the value', async () => {
  const env = await fileWith("A='1'\nSECRET=old-value#123456\n", ['raw']);
  expect(await rotated(env)).toBe(`A='1'\nSECRET=${NEW}\n`);
  expect((await refusal(await fileWith('MY KEY=1\nSECRET=old-value-123456\n', ['raw']))).message).toContain('.env:1');
});

it('what only Compose reads may hold what others would take differently', async () => {
  const env = await fileWith('SECRET="old # value"\n', ['compose']);
  await expect(rotated(env, 'with \\t and #')).resolves.toContain("'with \\t and #'");
  expect((await refusal(await fileWith('SECRET=a#b-old-value-12345\n'))).hint).toContain('readers: at the store');
});

describe('values put together from others', () => {
  const URL = 'DATABASE_URL=postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@db/app';
  const url = { key: 'DATABASE_URL' };

  it('are refused with the variables to rotate instead', async () => {
    const error = await refusal(await fileWith(`POSTGRES_USER=app\nPOSTGRES_PASSWORD=x\n${URL}\n`, ['compose'], url));
    expect(error.message).toMatch(/\.env:3: DATABASE_URL is put together from other variables \(\$POSTGRES_USER\)$/);
    expect(error.hint).toContain('credential: { in: variables, user: POSTGRES_USER, password: POSTGRES_PASSWORD }');
    const fixed = await fileWith(
      'POSTGRES_PASSWORD=x\nDATABASE_URL=postgres://app:${POSTGRES_PASSWORD}@db/app\n',
      ['compose'],
      url,
    );
    const { hint } = await refusal(fixed);
    expect(hint).toContain(
      'key: POSTGRES_PASSWORD, swap: { strategy: same-role, credential: { in: password, user: app } }',
    );
  });

  it('change with the variables that they contain, and readiness names them', async () => {
    const env = await fileWith(
      `POSTGRES_USER=app\nPOSTGRES_PASSWORD=old-password-1234\n${URL}\nJOBS_URL=\${DATABASE_URL}?jobs\nQUOTED='\${POSTGRES_USER}'\n`,
      ['compose'],
      {
        key: 'POSTGRES_USER',
        exposure: { style: 'pair', variable: 'POSTGRES_PASSWORD' },
      },
    );
    const { summary } = await storeOf(env).preflight(env.slot);
    expect(summary).toContain('changes with it, as it stands in them: DATABASE_URL (line 3), JOBS_URL (line 4)');
    expect(summary).not.toContain('QUOTED');
    const text = await rotated(env, JSON.stringify(['app_2', NEW]));
    expect(text).toContain(`POSTGRES_USER=app_2\nPOSTGRES_PASSWORD=${NEW}\n${URL}\n`);
  });

  it.each([
    ['${A}-$B', ['A', 'B']],
    ['${A:-x}${B}', ['A', 'B']],
    ['$5 and $$', []],
  ])('%s refers to %j', (raw, names) => expect(referencesIn(raw)).toEqual(names));
});

describe('a file that a tool has encrypted is refused by name', () => {
  it.each([
    ['SOPS', 'SECRET=ENC[AES256_GCM,data:abc,iv:abc,tag:abc,type:str]\nsops_mac=ENC[AES256_GCM,data:x]\n'],
    ['SOPS', 'SECRET=plain-value-1234567\nsops_version=3.9.0\n'],
    ['dotenvx', '#/-- DOTENV_PUBLIC_KEY --/\nDOTENV_PUBLIC_KEY="03a1"\nSECRET=plain-value-1234567\n'],
    ['dotenvx', 'SECRET="encrypted:BDqDBibm4wsYqMpCjTQ6BsDHmMadg9K3dAt"\n'],
  ])('%s', async (tool, text) => {
    const error = await refusal(await fileWith(text));
    expect(error.message).toContain(`is encrypted by ${tool}`);
    expect(error.hint).toContain('decrypted file');
  });

  it.each([
    ['SOPS', 'ENC[AES256_GCM,data:abc,iv:abc,tag:abc,type:str]'],
    ['SOPS', '{"data":"ENC[…]","sops":{"mac":"x"}}\n'.replace('{"data"', '{\n"data"').replace(',"sops"', ',\n"sops"')],
    ['dotenvx', 'encrypted:BDqDBibm4wsYqMpCjTQ6BsDHmMadg9K3dAt'],
    ['Ansible Vault', '$ANSIBLE_VAULT;1.1;AES256\n6162\n'],
    ['age', '-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n'],
    ['PGP', '-----BEGIN PGP MESSAGE-----\nabc\n'],
  ])('%s, mounted as a file', async (tool, text) => {
    const home = await mkdtemp(join(tmpdir(), 'keyturn-awkward-'));
    directories.push(home);
    const file = join(home, 'SECRET');
    await writeFile(file, text);
    const store = { type: 'docker-secrets', directory: home } as const;
    const slot: SecretSlot = { store, key: 'SECRET', exposure: { style: 'single' } };
    await expect(openStore(store, { fingerprint }).preflight(slot)).rejects.toMatchObject({
      message: expect.stringContaining(`is encrypted by ${tool}`) as string,
    });
    expect(await readFile(file, 'utf8')).toBe(text);
  });
});

it.each(['["old-value-1234567"]', '{"keys":"old-value-1234567"}'])(
  'a list in a JSON text (%s) is refused: a second value beside it would be no JSON',
  async (json) => {
    const env = await fileWith(`SECRET='${json}'\n`, ['compose'], { exposure: { style: 'list', separator: ',' } });
    const error = await refusal(env);
    expect(error).toMatchObject({ code: 'malformed', message: expect.stringContaining('is a JSON text') as string });
    expect(error.hint).toContain('part: { json: /0 }');
  },
);
