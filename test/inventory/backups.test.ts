import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateHybridIdentity, generateIdentity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backupsOf, conflictsOf, expandBackups, planBackup } from '../../src/inventory/backups.js';
import type { Inventory } from '../../src/inventory/inventory.js';
import { loadInventory } from '../../src/inventory/load.js';
import { formatProblem, InventoryError } from '../../src/inventory/problems.js';
import { foldersOfBackups } from '../../src/inventory/recovery-folders.js';

const RECIPIENT = await identityToRecipient(await generateIdentity());
const AGE = `format: age, recipients: [${RECIPIENT}], proof: { identity: { env: IDENTITY } }`;

let directory: string;
beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'keyturn-inventory-backups-')));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

interface Parts {
  readonly system?: string;
  readonly settings?: string;
  readonly backups?: string;
  readonly staging?: string;
  readonly production?: string;
  /** Of the store, relative to the inventory. */
  readonly file?: string;
}

/** Two environments; KEY and OTHER are critical, SESSION and TOKEN are not. The backups' lines are the last of the file. */
async function put(
  name: string,
  { system = 'arena', settings = '{}', file = 'app/.env', ...parts }: Parts,
): Promise<void> {
  const environment = (at: string, more = ''): string =>
    `  - name: ${at}\n    tier: ${at}\n    settings: { at: ${at} }\n    stores: { env: { type: dotenv, file: ${system}/${at}/${file} } }\n${more}`;
  const secret = (key: string, kind: string, critical = false): string =>
    `  ${key}: { kind: ${kind}, store: env, services: [app]${critical ? ', critical: true' : ''} }\n`;
  await writeFile(
    join(directory, name),
    `system: ${system}
settings: ${settings}
services: { app: { deploy: { type: command, argv: [./deploy] }, health: [health] } }
checks: { health: { type: http, url: http://localhost/health } }
environments:
${environment('staging', parts.staging)}${environment('production', parts.production)}secrets:
${secret('KEY', 'signing', true)}${secret('OTHER', 'signing', true)}${secret('SESSION', 'session')}${secret('TOKEN', 'token')}${parts.backups ?? ''}`,
  );
}

/** `FILE: PATH: MESSAGE (HINT)`, without the lines, which are the same in every test. */
async function problems(): Promise<string[]> {
  const error: unknown = await loadInventory(directory).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error === null) return [];
  expect(error).toBeInstanceOf(InventoryError);
  const found = (error as InventoryError).problems;
  for (const { line } of found) expect(line).toBeGreaterThan(0);
  return found.map((problem) =>
    formatProblem({ ...problem, file: problem.file.split('/').at(-1) ?? '' }).replace(/:\d+:/, ':'),
  );
}

const backups = (...lines: string[]): string => ['backups:', ...lines.map((line) => `  ${line}`), ''].join('\n');

test('a recovery may read where backups lie and where what opens them lies; what this worker lacks the settings of is elsewhere', async () => {
  await put('arena.yaml', {
    backups: backups(
      `key: { secrets: KEY, to: { directory: 'vault/\${at}' }, format: age, recipients: [${RECIPIENT}], proof: { identity: { file: ids/id.txt } } }`,
      `rest: { secrets: [SESSION], to: { directory: 'vault/\${at}' }, format: gpg, passphrase: { env: PASSPHRASE } }`,
    ),
  });
  await put('far.yaml', {
    system: 'far',
    settings: '{ disk: { env: DISK } }',
    backups: backups(`key: { secrets: TOKEN, to: { directory: '\${disk}' }, ${AGE} }`),
  });
  const folders = foldersOfBackups(await loadInventory(directory), {});
  expect(folders).toEqual(['vault/staging', 'ids', 'vault/production'].map((name) => join(directory, name)));
});

describe('a backup that is described well', () => {
  test('is loaded, whatever the kind of recipient, with one secret or a group', async () => {
    const hybrid = await identityToRecipient(await generateHybridIdentity());
    await put('arena.yaml', {
      backups: backups(
        `key: { secrets: KEY, to: { directory: 'vault/\${at}/key' }, format: age, recipients: [${RECIPIENT}, ${hybrid}], proof: { identity: { file: id.txt } }, maxAge: 30d, qr: svg }`,
        `rest: { secrets: [SESSION, TOKEN], to: { directory: 'vault/\${at}/rest' }, format: gpg, passphrase: { env: PASSPHRASE } }`,
      ),
    });
    const inventory = await loadInventory(directory);
    const all = expandBackups(inventory, { system: 'arena' });
    expect(all.map((ref) => `${ref.environment}/${ref.backup}`)).toEqual([
      'staging/key',
      'staging/rest',
      'production/key',
      'production/rest',
    ]);
    const request = { operator: 'ana', note: null, requestId: 'run', at: '2026-11-21T00:00:00Z', variables: {} };
    const plan = planBackup(inventory, { ref: all[0]!, ...request });
    expect(plan).toMatchObject({
      ref: { system: 'arena', environment: 'staging', backup: 'key' },
      directory: join(directory, 'vault/staging/key'),
      secrets: [
        {
          kind: 'signing',
          critical: true,
          slot: { store: { file: join(directory, 'arena/staging/app/.env') }, key: 'KEY' },
        },
      ],
      encryption: { format: 'age', recipients: [RECIPIENT, hybrid], identity: { file: join(directory, 'id.txt') } },
      maxAge: '30d',
      qr: 'svg',
      versions: ['current', 'pending'],
      taskQueue: 'keyturn',
    });
    expect(planBackup(inventory, { ref: all[1]!, ...request })).toMatchObject({
      encryption: { format: 'gpg', passphrase: { env: 'PASSPHRASE' } },
      maxAge: '90d',
      qr: null,
    });
    expect(backupsOf(inventory, { system: 'arena', environment: 'staging', secret: 'KEY' }, {})).toEqual({
      critical: true,
      kind: 'signing',
      places: [{ backup: 'arena/staging/key', directory: join(directory, 'vault/staging/key'), maxAge: '30d' }],
    });
    expect(backupsOf(inventory, { system: 'arena', environment: 'staging', secret: 'OTHER' }, {}).places).toEqual([]);
  });

  test('takes recipients from the settings of a worker, who is told when one of them is none', async () => {
    await put('arena.yaml', {
      settings: '{ mine: { env: MINE }, safe: { env: SAFE } }',
      backups: backups(
        `key: { secrets: KEY, to: { directory: '/vault/\${at}' }, format: age, recipients: ['\${mine}', '\${safe}'], proof: { identity: { file: id.txt } } }`,
      ),
    });
    const inventory = await loadInventory(directory);
    const safe = await identityToRecipient(await generateIdentity());
    const ref = { system: 'arena', environment: 'staging', backup: 'key' };
    const recipients = (variables: Record<string, string>): unknown => {
      const request = { ref, operator: 'ana', note: null, requestId: 'run', at: '2026-11-21T00:00:00Z', variables };
      return planBackup(inventory, request).encryption;
    };
    expect(recipients({ MINE: RECIPIENT, SAFE: safe })).toMatchObject({ recipients: [RECIPIENT, safe] });
    const wrong = RECIPIENT.slice(0, -1) + (RECIPIENT.endsWith('q') ? 'p' : 'q');
    for (const [variables, code, message] of [
      [{ MINE: RECIPIENT }, 'setting-missing', 'the setting "safe" needs the variable SAFE of the worker'],
      [{ MINE: wrong, SAFE: safe }, 'bad-inventory', 'the recipient ${mine} has a wrong checksum'],
      [{ MINE: RECIPIENT, SAFE: 'me@example.test' }, 'bad-inventory', 'the recipient ${safe} is no age recipient'],
      [{ MINE: safe, SAFE: safe }, 'bad-inventory', 'the recipient ${safe} is named twice'],
      [{ MINE: await generateIdentity(), SAFE: safe }, 'setting-secret', 'holds a private key'],
    ] as [Record<string, string>, string, string][]) {
      expect(() => recipients(variables)).toThrow(
        expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as Error,
      );
    }
  });

  test('holds for all environments but those that say false; a secret that is not there is left out', async () => {
    await put('arena.yaml', {
      staging: '    backups: { key: false }\n    secrets: { TOKEN: false }\n',
      backups: backups(
        `key: { secrets: KEY, to: { directory: /vault/key }, ${AGE} }`,
        `rest: { secrets: [SESSION, TOKEN], to: { directory: /vault/rest }, ${AGE} }`,
        `token: { secrets: [TOKEN], to: { directory: /vault/rest }, ${AGE} }`,
      ),
    });
    const inventory = await loadInventory(directory);
    const names = (environment: string): string[] =>
      expandBackups(inventory, { system: 'arena', environment }).map(({ backup }) => backup);
    expect(names('staging')).toEqual(['rest']);
    expect(names('production')).toEqual(['key', 'rest', 'token']);
    const plan = planBackup(inventory, {
      ref: { system: 'arena', environment: 'staging', backup: 'rest' },
      ...{ operator: 'ana', note: null, requestId: 'run', at: '2026-11-21T00:00:00Z', variables: {} },
    });
    expect(plan.secrets.map(({ ref }) => ref.secret)).toEqual(['SESSION']);
  });

  test('of one critical secret may have a second of the same beside it, and others without a mark', async () => {
    await put('arena.yaml', {
      staging: '    backups: { key: false, again: false, rest: false }\n',
      backups: backups(
        `key: { secrets: [KEY, SESSION], to: { directory: /vault/key }, ${AGE} }`,
        `again: { secrets: KEY, to: { directory: /vault/key }, format: gpg, passphrase: { env: P } }`,
        `rest: { secrets: TOKEN, to: { directory: /vault/key }, ${AGE} }`,
      ),
    });
    expect(await problems()).toEqual([]);
  });
});

describe('two critical secrets are kept apart', () => {
  test('in one archive', async () => {
    await put('arena.yaml', {
      staging: '    backups: { both: false }\n',
      backups: backups(`both: { secrets: [KEY, SESSION, OTHER], to: { directory: /vault }, ${AGE} }`),
    });
    expect(await problems()).toEqual([
      'arena.yaml: backups.both.secrets: KEY and OTHER are critical and would lie in one archive in environment "production" ' +
        '(an archive and a destination each: whoever opens one must not hold both)',
    ]);
  });

  const apart = (one: string, other: string): string =>
    backups(
      `one: { secrets: KEY, to: { directory: ${one} }, ${AGE} }`,
      `other: { secrets: OTHER, to: { directory: ${other} }, ${AGE} }`,
    );
  const onlyProduction = { staging: '    backups: { one: false, other: false }\n' };

  test.each([
    ['the same', '/vault/a', '/vault/a'],
    ['the same, spelt otherwise', '/vault/a', '/vault/./b/../a/'],
    ['one below the other', '/vault/a', '/vault/a/b'],
    ['one above the other', '/vault/a/b', '/vault/a'],
    ['the same setting', "'${place}'", "'${place}'"],
    ['the same variable of a worker', "'${far}/x'", "'${far}/x'"],
  ])('in one destination: %s', async (_, one, other) => {
    await put('arena.yaml', {
      ...onlyProduction,
      settings: '{ place: /vault, far: { env: FAR } }',
      backups: apart(one, other),
    });
    expect(await problems()).toEqual([
      'arena.yaml: backups.other.to.directory: arena/production/OTHER (critical) would lie beside arena/production/KEY ' +
        '(critical too), which arena/production/one puts there (one critical secret a destination: another directory, on another medium)',
    ]);
  });

  test('in one destination behind a symlink', async () => {
    await mkdir(join(directory, 'vault'));
    await symlink('vault', join(directory, 'link'));
    await put('arena.yaml', { ...onlyProduction, backups: apart('vault', 'link') });
    expect(await problems()).toHaveLength(1);
  });

  test('but siblings, and names that only begin alike, are apart', async () => {
    await put('arena.yaml', { ...onlyProduction, backups: apart('/vault/a', '/vault/ab') });
    expect(await problems()).toEqual([]);
  });

  test('of two environments, since their values differ', async () => {
    await put('arena.yaml', { backups: backups(`key: { secrets: KEY, to: { directory: /vault }, ${AGE} }`) });
    expect(await problems()).toEqual([
      expect.stringContaining('arena/production/KEY (critical) would lie beside arena/staging/KEY') as string,
    ]);
    // A setting of the environment tells them apart, also through a setting of the system.
    await put('arena.yaml', {
      settings: "{ place: '/vault/${at}' }",
      backups: backups(`key: { secrets: KEY, to: { directory: '\${place}' }, ${AGE} }`),
    });
    expect(await problems()).toEqual([]);
  });

  test('of two systems', async () => {
    const onlyKey = {
      backups: backups(`key: { secrets: KEY, to: { directory: /vault }, ${AGE} }`),
      staging: '    backups: { key: false }\n',
    };
    await put('a.yaml', { system: 'arena', ...onlyKey });
    await put('b.yaml', { system: 'bakery', ...onlyKey });
    expect(await problems()).toEqual([
      expect.stringMatching(/^b\.yaml: .*bakery.*would lie beside arena\/production\/KEY/) as string,
    ]);
  });
});

describe('a destination is elsewhere than the stores', () => {
  const at = (to: string): string => backups(`rest: { secrets: SESSION, to: { directory: ${to} }, ${AGE} }`);

  test.each(["'arena/${at}/app'", "'arena/${at}/app/backups'"])('%s is the directory of a store', async (to) => {
    await put('arena.yaml', { backups: at(to) });
    const expected = expect.stringMatching(
      /^arena\.yaml: backups\.rest\.to\.directory: .*in the directory of the store "env" of arena\//,
    ) as string;
    expect(await problems()).toEqual([expected]);
  });

  test('also of another system’s store', async () => {
    await put('a.yaml', { backups: at('bakery/production/app/vault'), staging: '    backups: { rest: false }\n' });
    await put('b.yaml', { system: 'bakery' });
    expect(await problems()).toEqual([expect.stringContaining('the store "env" of bakery/production') as string]);
  });

  test('beside it is well, and what only a worker knows is asked there', async () => {
    await put('arena.yaml', { backups: at("'arena/${at}/vault'") });
    expect(await problems()).toEqual([]);
    await put('arena.yaml', {
      settings: '{ place: { env: PLACE } }',
      backups: at("'${place}'"),
      staging: '    backups: { rest: false }\n',
    });
    const inventory = await loadInventory(directory);
    const conflicts = (place: string): string[] =>
      conflictsOf(inventory, planWith(inventory, { PLACE: place }), { PLACE: place });
    expect(conflicts('/vault')).toEqual([]);
    expect(conflicts(join(directory, 'arena/production/app/x'))).toEqual([
      'it would lie in the directory of the store of arena/production',
    ]);
  });

  function planWith(inventory: Inventory, variables: Record<string, string>) {
    const ref = { system: 'arena', environment: 'production', backup: 'rest' };
    return planBackup(inventory, {
      ref,
      operator: 'ana',
      note: null,
      requestId: 'r',
      at: '2026-11-21T00:00:00Z',
      variables,
    });
  }

  test('two variables of a worker that lead to one place are found there', async () => {
    await put('arena.yaml', {
      settings: '{ one: { env: ONE }, other: { env: OTHER_PLACE } }',
      staging: '    backups: { one: false, other: false }\n',
      backups: backups(
        `one: { secrets: KEY, to: { directory: '\${one}' }, ${AGE} }`,
        `other: { secrets: OTHER, to: { directory: '\${other}' }, ${AGE} }`,
      ),
    });
    const inventory = await loadInventory(directory);
    const ref = { system: 'arena', environment: 'production', backup: 'one' };
    const conflicts = (variables: Record<string, string>): string[] =>
      conflictsOf(
        inventory,
        planBackup(inventory, { ref, operator: 'ana', note: null, requestId: 'r', at: 'now', variables }),
        variables,
      );
    expect(conflicts({ ONE: '/vault/a', OTHER_PLACE: '/vault/b' })).toEqual([]);
    expect(conflicts({ ONE: '/vault/a' })).toEqual([]);
    expect(conflicts({ ONE: '/vault/a', OTHER_PLACE: '/vault/a' })).toEqual([
      'arena/production/KEY would lie beside arena/production/OTHER, which is critical too (arena/production/other)',
    ]);
  });
});

describe('mistakes are told with file, line and hint', () => {
  const wrong = RECIPIENT.slice(0, -1) + (RECIPIENT.endsWith('q') ? 'p' : 'q');
  const to = "to: { directory: '/vault/${at}' }";
  test.each([
    [`x: { secrets: SESION, ${to}, ${AGE} }`, 'backups.x.secrets: unknown secret "SESION" (did you mean "SESSION"?)'],
    [`x: { secrets: [SESSION, SESSION], ${to}, ${AGE} }`, 'backups.x.secrets[1]: secret "SESSION" is named twice'],
    [`x: { secrets: [], ${to}, ${AGE} }`, 'backups.x.secrets: must have at least 1 entry'],
    [`x: { secrets: SESSION, ${to}, ${AGE}, maxAge: 0d }`, 'backups.x.maxAge: must be longer than nothing'],
    [
      `x: { secrets: SESSION, to: { directory: '\${plce}' }, ${AGE} }`,
      'backups.x.to.directory: unknown setting "plce"',
    ],
    [
      `x: { secrets: SESSION, ${to}, format: zip }`,
      'backups.x.format: unknown x format "zip" (this version has: age, gpg)',
    ],
    [`x: { secrets: SESSION, ${to}, format: gpg }`, 'backups.x.passphrase: '],
    [
      `x: { secrets: SESSION, ${to}, format: age, recipients: [${RECIPIENT}] }`,
      'backups.x.proof: is missing: a mapping is needed',
    ],
    [`x: { secrets: SESSION, ${to}, ${AGE}, qr: jpeg }`, 'backups.x.qr: "jpeg" is not possible here'],
    [
      `x: { secrets: SESSION, ${to}, ${AGE.replace(RECIPIENT, wrong)} }`,
      'backups.x.recipients[0]: has a wrong checksum',
    ],
    [
      `x: { secrets: SESSION, ${to}, ${AGE.replace(RECIPIENT, `${RECIPIENT}, ${RECIPIENT}`)} }`,
      'backups.x.recipients[1]: is named twice',
    ],
    [
      `x: { secrets: SESSION, ${to}, ${AGE.replace(RECIPIENT, 'me@example.test')} }`,
      'backups.x.recipients[0]: "me@example.test" is no age recipient',
    ],
    [
      `x: { secrets: SESSION, ${to}, ${AGE.replace(RECIPIENT, "'\${mine}'")} }`,
      'backups.x.recipients[0]: unknown setting "mine"',
    ],
    [
      `x: { secrets: SESSION, ${to}, ${AGE.replace(RECIPIENT, 'age1yubikey1qwertz')} }`,
      '"age1yubikey1qwertz" is no age recipient',
    ],
  ])('%s', async (line, expected) => {
    await put('arena.yaml', { backups: backups(line) });
    const told = await problems();
    expect(told.join('\n')).toContain(expected);
  });

  test('a secret that does not exist in the environment that names it', async () => {
    await put('arena.yaml', {
      staging: `    secrets: { TOKEN: false }\n    backups: { x: { secrets: TOKEN, to: { directory: /vault }, ${AGE} } }\n`,
    });
    expect(await problems()).toEqual([
      'arena.yaml: environments.staging.backups.x.secrets: "TOKEN" does not exist in this environment',
    ]);
  });

  test('a pasted identity is refused, and not shown', async () => {
    const identity = await generateIdentity();
    await put('arena.yaml', {
      backups: backups(
        `x: { secrets: SESSION, ${to}, format: age, recipients: [${identity}], proof: { identity: { env: I } } }`,
      ),
    });
    const told = (await problems()).join('\n');
    expect(told).toContain('this looks like a private key');
    expect(told).not.toContain(identity.slice(20));
  });

  test.each([
    [{ system: 'arean' }, 'did you mean "arena"?'],
    [{ system: 'arena', environment: 'prodution' }, 'did you mean "production"?'],
    [{ system: 'arena', environment: 'production', backup: 'kye' }, 'did you mean "key"?'],
  ])('a name that nothing has: %j', async (selector, hint) => {
    await put('arena.yaml', { backups: backups(`key: { secrets: KEY, to: { directory: '/vault/\${at}' }, ${AGE} }`) });
    const inventory = await loadInventory(directory);
    expect(() => expandBackups(inventory, selector)).toThrow(
      expect.objectContaining({ code: 'unknown-backup', hint }) as Error,
    );
  });
});
