import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatProblem, InventoryError } from '../../src/inventory/problems.js';
import { loadInventory } from '../../src/inventory/load.js';

const FIXTURES = 'test/fixtures/inventory';
const MINIMAL = (system: string): string => `system: ${system}
stores: { env: { type: dotenv, file: ${system}.env } }
services: { app: { deploy: { type: command, argv: [./deploy] }, health: [health] } }
checks: { health: { type: http, url: http://localhost/health } }
environments: [{ name: production, tier: production }]
secrets: { SECRET_KEY: { kind: session, store: env, services: [app] } }
`;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-inventory-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function put(path: string, text: string): Promise<void> {
  await mkdir(join(directory, path, '..'), { recursive: true });
  await writeFile(join(directory, path), text);
}

async function refusal(path: string): Promise<InventoryError> {
  const error: unknown = await loadInventory(path).then(
    () => new Error(`${path} was accepted`),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InventoryError);
  return error as InventoryError;
}

describe('the five documents', () => {
  test('everything they say about secrets can be said', async () => {
    const { systems } = await loadInventory(join(FIXTURES, 'runbooks'));
    const secrets = systems.map(({ spec }) => [spec.system, Object.keys(spec.secrets).length]);
    expect(Object.fromEntries(secrets)).toEqual({
      hms: 2,
      mediavault: 8,
      'mgmt-vibe': 5,
      collaboration: 7,
      arenas: 2,
    });
  });

  test('the examples load', async () => {
    const { systems } = await loadInventory('examples');
    expect(systems.map(({ spec }) => spec.system)).toEqual(expect.arrayContaining(['hms', 'mediavault', 'mgmt-vibe']));
  });
});

describe('every kind of mistake is told with file, line, path and hint', () => {
  const expected = readFileSync(join(FIXTURES, 'mistakes.expected.txt'), 'utf8').trimEnd().split('\n');
  const files = readdirSync(join(FIXTURES, 'mistakes'));

  test.each(files)('%s', async (file) => {
    const { problems, message } = await refusal(join(FIXTURES, 'mistakes', file));
    const told = problems.map((problem) => formatProblem(problem).replace(`${FIXTURES}/mistakes/`, ''));
    expect(told).toEqual(expected.filter((line) => line.startsWith(`${file}:`)));
    expect(message.split('\n').slice(told.length > 1 ? 1 : 0)).toEqual(problems.map(formatProblem));
  });

  test('and no other is expected', () => {
    expect(expected.filter((line) => !files.some((file) => line.startsWith(`${file}:`)))).toEqual([]);
  });

  test('together they are told all at once', async () => {
    const { problems, message } = await refusal(join(FIXTURES, 'mistakes'));
    // The fixtures share one system name and are told about that instead of what crosses files.
    expect(problems.length).toBeGreaterThan(files.length);
    expect(message.split('\n')[0]).toBe(`the inventory has ${problems.length} problems`);
  });
});

describe('a pasted secret is never printed', () => {
  const pasted = readdirSync(join(FIXTURES, 'mistakes')).filter((file) => file.startsWith('pasted-'));

  const values =
    /4eC39HqLyjWDarjtT1zdp7dc|IOSFODNN7|b3BlbnNzaC1r|hunter2|a3f1c2e9|ZpQ8k2|m5Tx9Lr4Vb7|0a1b2c3d4e5f6a7b8c9d/;

  test.each(pasted)('%s', async (file) => {
    const error = await refusal(join(FIXTURES, 'mistakes', file));
    expect(readFileSync(join(FIXTURES, 'mistakes', file), 'utf8')).toMatch(values);
    expect(inspect(error, { depth: 9 })).not.toMatch(values);
  });

  test('also not where the schema or another rule objects to it', async () => {
    const key = ['sk', 'live', '4eC39HqLyjWDarjtT1zdp7dc'].join('_');
    for (const [from, to] of [
      ['store: env', `store: ${key}`],
      ['kind: session', `kind: ${key}`],
      ['secrets: { SECRET_KEY:', `secrets: { ${key}:`],
      ['{ kind: session', `{ ${key}: 1, kind: session`],
      ['type: command', `type: ${key}`],
      ['http://localhost/health', `"\${${key}}"`],
      ['name: production', `name: ${key}`],
      ['system: arena', `${key}: 1\n${key}: 2\nsystem: arena`],
      ['system: arena', `system: ${key}`],
    ] as const) {
      await put('arena.yaml', MINIMAL('arena').replace(from, to));
      const error = await refusal(directory);
      expect(error.message).toContain('this looks like a Stripe key');
      expect(inspect(error, { depth: 9 })).not.toContain(key);
    }
  });
});

describe('which files are read', () => {
  test('NAME.yaml, NAME.yml and NAME/system.yaml, in the order of their names', async () => {
    await put('b.yml', MINIMAL('b'));
    await put('a.yaml', MINIMAL('a'));
    await put('c/system.yaml', MINIMAL('c'));
    await put('docker-compose.yml', 'services: {}');
    await put('compose.production.yaml', 'services: {}');
    await put('.hidden.yaml', ':');
    await put('c/other.yaml', ':');
    await put('README.md', ':');
    const { systems, source } = await loadInventory(directory);
    expect(systems.map(({ spec }) => spec.system)).toEqual(['a', 'b', 'c']);
    expect(systems[2]?.file).toBe(join(directory, 'c/system.yaml'));
    expect(source).toBe(directory);
  });

  test('one file can be named', async () => {
    await put('a.txt', MINIMAL('a'));
    expect((await loadInventory(join(directory, 'a.txt'))).systems).toHaveLength(1);
  });

  test('CRLF and a byte order mark are fine', async () => {
    await put('a.yaml', `\ufeff${MINIMAL('a').replaceAll('\n', '\r\n')}`);
    expect((await loadInventory(directory)).systems).toHaveLength(1);
  });

  test('a directory without any, and one that is not there, are refused', async () => {
    expect((await refusal(directory)).message).toBe(
      `${directory}: has no system files (expected NAME.yaml, or NAME/system.yaml, one system a file)`,
    );
    expect((await refusal(join(directory, 'absent'))).message).toBe(
      `${directory}/absent: cannot be read: ENOENT (name a directory of system files, or one file, with --inventory)`,
    );
  });

  test('what looks like a system file and cannot be read is told', async () => {
    await put('a.yaml', MINIMAL('a'));
    await mkdir(join(directory, 'b.yaml'));
    await mkdir(join(directory, 'c'));
    await symlink(join(directory, 'nowhere'), join(directory, 'd.yaml'));
    const { problems } = await refusal(directory);
    expect(problems.map(formatProblem)).toEqual([
      `${directory}/b.yaml: cannot be read: it is not a regular file`,
      `${directory}/d.yaml: cannot be read: ENOENT`,
    ]);
  });

  test('a file of megabytes is refused unread', async () => {
    await put('a.yaml', '#'.repeat(1_100_000));
    expect((await refusal(directory)).message).toBe(`${directory}/a.yaml: is larger than 1 MiB (one system a file)`);
  });
});

describe('across files', () => {
  test('the same system twice is refused, at the second', async () => {
    await put('a.yaml', MINIMAL('arena'));
    await put('b.yaml', `\n${MINIMAL('arena')}`);
    expect((await refusal(directory)).message).toBe(
      `${directory}/b.yaml:2: system: the system "arena" is described in ${directory}/a.yaml already (one system a file, one file a system)`,
    );
  });

  test('two systems cannot share a place', async () => {
    await put('a.yaml', MINIMAL('a'));
    await put('b.yaml', MINIMAL('b').replace('b.env', './a.env'));
    expect((await refusal(directory)).message).toContain(
      'SECRET_KEY in this store already belongs to a/production/SECRET_KEY',
    );
  });

  test('files that differ by a variable of the worker are two places; the same variable is one', async () => {
    const withFile = (system: string, variable: string) =>
      MINIMAL(system).replace(`${system}.env`, `'\${file}'`) + `settings: { file: { env: ${variable} } }\n`;
    await put('a.yaml', withFile('a', 'A_FILE'));
    await put('b.yaml', withFile('b', 'B_FILE'));
    expect((await loadInventory(directory)).systems).toHaveLength(2);
    await put('b.yaml', withFile('b', 'A_FILE'));
    expect((await refusal(directory)).problems).toHaveLength(1);
  });

  test('one broken file does not hide what is wrong with another', async () => {
    await put('a.yaml', 'system: [');
    await put('b.yaml', MINIMAL('b').replace('store: env', 'store: evn'));
    const { problems } = await refusal(directory);
    expect(problems.map(({ file }) => file.replace(directory, ''))).toEqual(['/a.yaml', '/b.yaml']);
  });
});

test('names that Object has by itself are names like any other', async () => {
  const text = MINIMAL('arena')
    .replace('store: env', 'store: toString')
    .replace('{ env: { type', '{ toString: { type')
    .replace('SECRET_KEY', 'constructor')
    .replace('health: [health]', 'health: [valueOf]');
  await put('a.yaml', text);
  expect((await refusal(directory)).message).toContain('unknown check "valueOf"');
  await put('a.yaml', text.replace('checks: { health', 'checks: { valueOf'));
  const { systems } = await loadInventory(directory);
  expect(Object.keys(systems[0]!.spec.secrets)).toEqual(['constructor']);
  expect(await readFile(join(directory, 'a.yaml'), 'utf8')).toContain('constructor');
});
