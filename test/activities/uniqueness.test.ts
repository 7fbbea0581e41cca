/** A value used twice is found, and what a question costs does not grow with the stores that nothing has changed. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import type { ActivityDeps } from '../../src/activities/deps.js';
import { sharedWith } from '../../src/activities/uniqueness.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { InventoryReader } from '../../src/inventory/load.js';
import { FileMemo } from '../../src/processes/file-memo.js';
import { DotenvStore } from '../../src/stores/dotenv/dotenv-store.js';
import { createFingerprinter } from '../../src/stores/fingerprint.js';
import { ChangeablePlace } from '../../src/stores/versions/changeable-place.js';

const parent = mkdtempSync(join(tmpdir(), 'keyturn-unique-'));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const fingerprint = createFingerprinter('k'.repeat(40));
const TWICE = 'a1'.repeat(32);
const self = { system: 'shop', environment: 'production', secret: 'SESSION_SECRET' };
let directory: string;
let deps: ActivityDeps;

beforeEach(() => {
  directory = mkdtempSync(join(parent, 'case-'));
  mkdirSync(join(directory, 'files'));
  system('shop', '{ type: dotenv, file: shop.env }', { SESSION_SECRET: TWICE, JWT_SECRET: 'b2'.repeat(32) });
  system('blog', '{ type: dotenv, file: blog.env }', { SESSION_SECRET: 'c3'.repeat(32) });
  system('files', '{ type: docker-secrets, directory: files }', { TOKEN: 'd4'.repeat(32) });
  const reader = new InventoryReader(directory, 0);
  deps = {
    loadInventory: () => reader.load(),
    variables: {},
    fingerprint,
    descriptions: new FileMemo(100, 0),
  } as unknown as ActivityDeps;
});

function system(name: string, store: string, secrets: Readonly<Record<string, string>>): void {
  const entries = Object.keys(secrets).map((secret) => `  ${secret}: { kind: session, store: all, services: [web] }`);
  const text = [
    `system: ${name}`,
    `stores: { all: ${store} }`,
    'services: { web: { deploy: { type: command, argv: ["true"] }, health: [well] } }',
    'checks: { well: { type: command, argv: ["true"] } }',
    'environments: [{ name: production, tier: production }]',
    'secrets:',
    ...entries,
  ];
  writeFileSync(join(directory, `${name}.yaml`), `${text.join('\n')}\n`);
  if (store.includes('dotenv')) env(name, secrets);
  else for (const [key, value] of Object.entries(secrets)) writeFileSync(join(directory, 'files', key), value);
}

function env(name: string, secrets: Readonly<Record<string, string>>): void {
  const lines = Object.entries(secrets).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(join(directory, `${name}.env`), lines.join(''));
}

/** Whatever was written before this is older than what is read after it. */
async function aMomentLater(): Promise<void> {
  const now = Date.now();
  await expect.poll(() => Date.now(), { interval: 1 }).toBeGreaterThan(now + 1);
}

const shared = (text = TWICE): Promise<string[]> => sharedWith(new SecretValue(text), self, deps);

test('a value that stands in another variable, file or system is found, and its own place is not counted', async () => {
  expect(await shared()).toEqual([]);
  env('shop', { SESSION_SECRET: TWICE, JWT_SECRET: TWICE });
  env('blog', { SESSION_SECRET: TWICE });
  writeFileSync(join(directory, 'files', 'TOKEN'), TWICE);
  expect(await shared()).toEqual([
    'blog/production/SESSION_SECRET',
    'files/production/TOKEN',
    'shop/production/JWT_SECRET',
  ]);
});

test('a value that another run has staged, or keeps as the previous one, is found', async () => {
  const file = join(directory, 'blog.env');
  const store = new DotenvStore({ type: 'dotenv', file } as never, { fingerprint });
  const slot = { store: { type: 'dotenv', file }, key: 'SESSION_SECRET', exposure: { style: 'single' } } as const;
  await store.stage(slot, 'run', () => new SecretValue(TWICE));
  expect(await shared()).toEqual(['blog/production/SESSION_SECRET']);
  await store.arrange(slot, 'run', 'new only');
  expect(await shared('c3'.repeat(32))).toEqual(['blog/production/SESSION_SECRET']);
});

test('stores in which nothing changed are not read again, and one that changed is', async () => {
  await aMomentLater();
  await shared();
  const read = vi.spyOn(ChangeablePlace.prototype, 'open');
  try {
    expect(await shared()).toEqual([]);
    expect(read).toHaveBeenCalledTimes(0);
    writeFileSync(join(directory, 'files', 'TOKEN'), TWICE);
    await aMomentLater();
    expect(await shared()).toEqual(['files/production/TOKEN']);
    expect(read).toHaveBeenCalledTimes(1);
  } finally {
    read.mockRestore();
  }
});

test('an inventory is parsed once, until one of its files changes', async () => {
  const reader = new InventoryReader(directory, 0);
  await aMomentLater();
  const before = await reader.load();
  expect(await reader.load()).toBe(before);
  const file = join(directory, 'blog.yaml');
  writeFileSync(file, (await readFile(file, 'utf8')).replace('tier: production', 'tier: staging'));
  const after = await reader.load();
  expect(after.systems.map((one, index) => one === before.systems[index])).toEqual([false, true, true]);
  writeFileSync(file, 'system: blog\nsecrets: []\n');
  await expect(reader.load()).rejects.toThrow('blog.yaml');
});
