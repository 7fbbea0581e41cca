/** One place, one secret: each secret has a lock of its own, and a second lock for one place is none. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { inTheSamePlace } from '../../src/activities/uniqueness.js';
import type { ActivityDeps } from '../../src/activities/deps.js';
import { loadInventory } from '../../src/inventory/load.js';
import { slotsOf } from '../../src/inventory/slots.js';

const root = mkdtempSync(join(tmpdir(), 'keyturn-places-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(root, 'inventory-'));
  mkdirSync(join(directory, 'shop'));
  writeFileSync(join(directory, 'shop', '.env'), 'SESSION_SECRET=x\n');
  symlinkSync(join(directory, 'shop'), join(directory, 'shoplink'));
  symlinkSync(join(directory, 'shop', '.env'), join(directory, 'envlink'));
});

function system(name: string, file: string, settings = ''): void {
  const text = `
system: ${name}
${settings}
stores: { env: { type: dotenv, file: "${file}" } }
services: { web: { deploy: { type: command, argv: ['true'] }, health: [ok] } }
checks: { ok: { type: command, argv: ['true'] } }
environments: [{ name: production, tier: production }]
secrets: { SESSION_SECRET: { kind: session, store: env, services: [web] } }
`;
  writeFileSync(join(directory, `${name}.yaml`), text);
}

test.each([
  ['a symlinked directory', 'shoplink/.env'],
  ['a symlinked file', 'envlink'],
  ['a file that does not exist yet, behind a symlinked directory', 'shoplink/later.env'],
])('one place under two names is refused: %s', async (_, other) => {
  system('first', other.endsWith('later.env') ? 'shop/later.env' : 'shop/.env');
  system('second', other);
  await expect(loadInventory(directory)).rejects.toThrow(
    'SESSION_SECRET in this store already belongs to first/production/SESSION_SECRET',
  );
});

/** One environment whose store is a directory, and which secret stands in which file of it. */
function directorySystem(name: string, store: string, secret: string): void {
  const text = `
system: ${name}
stores: { place: ${store} }
services: { web: { deploy: { type: command, argv: ['true'] }, health: [ok] } }
checks: { ok: { type: command, argv: ['true'] } }
environments: [{ name: production, tier: production }]
secrets: { SESSION_SECRET: { kind: session, store: place, services: [web], ${secret} } }
`;
  writeFileSync(join(directory, `${name}.yaml`), text);
}

const OVERLAP = 'overlap: { style: previous, variable: session_previous, tokenLifetime: 1h }';

describe('a file of a directory', () => {
  beforeEach(() => {
    mkdirSync(join(directory, 'secrets'));
    writeFileSync(join(directory, 'secrets', 'session'), 'x');
    symlinkSync('session', join(directory, 'secrets', 'alias'));
    symlinkSync('secrets', join(directory, 'linked'));
    directorySystem('first', '{ type: docker-secrets, directory: secrets }', `key: session, ${OVERLAP}`);
  });

  test.each([
    ['of the same name', '{ type: docker-secrets, directory: ./secrets/ }', 'key: session'],
    ['behind a symlinked directory', '{ type: docker-secrets, directory: linked }', 'key: session'],
    ['behind a symlinked file', '{ type: docker-secrets, directory: secrets }', 'key: alias'],
    ['that is the other one’s second', '{ type: docker-secrets, directory: linked }', 'key: session_previous'],
    ['of which a variable is another secret', '{ type: dotenv, file: linked/session }', 'key: X'],
  ])('belongs to one secret: %s', async (_, store, secret) => {
    directorySystem('second', store, secret);
    await expect(loadInventory(directory)).rejects.toThrow(
      'in this store already belongs to first/production/SESSION_SECRET',
    );
  });

  test('beside another one of the directory is a place of its own', async () => {
    directorySystem('second', '{ type: docker-secrets, directory: linked }', 'key: other');
    directorySystem('third', '{ type: dotenv, file: linked/.env }', 'key: session');
    expect((await loadInventory(directory)).systems).toHaveLength(3);
  });

  test('that a setting of the worker leads to is found before anything is changed', async () => {
    const settings = 'settings: { place: { env: PLACE, default: elsewhere } }';
    directorySystem('second', "{ type: docker-secrets, directory: '${place}' }", 'key: alias');
    const file = join(directory, 'second.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('system: second', `system: second\n${settings}`));
    const inventory = await loadInventory(directory);
    const variables = { PLACE: 'linked' };
    const [first] = slotsOf(inventory, variables);
    if (!first) throw new Error('no slot');
    const deps = { loadInventory: () => Promise.resolve(inventory), variables } as unknown as ActivityDeps;
    expect(await inTheSamePlace(first.slot, first.ref, deps)).toEqual(['second/production/SESSION_SECRET']);
  });
});

test('one place that two settings of the worker lead to is found before anything is changed', async () => {
  system('first', 'shop/.env');
  system('second', '${place}/.env', `settings: { place: { env: SHOP_DIRECTORY, default: elsewhere } }`);
  const inventory = await loadInventory(directory);
  const found = (variables: Record<string, string>): Promise<string[]> => {
    const [first] = slotsOf(inventory, variables);
    if (!first) throw new Error('no slot');
    const deps = { loadInventory: () => Promise.resolve(inventory), variables } as unknown as ActivityDeps;
    return inTheSamePlace(first.slot, first.ref, deps);
  };
  expect(await found({ SHOP_DIRECTORY: 'shoplink' })).toEqual(['second/production/SESSION_SECRET']);
  expect(await found({})).toEqual([]);
});
