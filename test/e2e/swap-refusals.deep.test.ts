/** What is wrong before a swap begins is said by `plan` and by the run alike, with what to do about it, and nothing is changed. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { temporaryDirectory } from '../../src/embedded/directories.js';
import { EXAMPLES, runningSystem, variable, writeSetting } from '../examples/support/running-system.js';
import { afterwards } from '../support/afterwards.js';
import { openStage, type Stage } from './support/stage.js';
import { rolesOf, sweepRoles } from './support/swaps.js';

const REF = 'messaging/staging/DATABASE_URL';
const WRONG = 'MESSAGING_STAGING_WRONG_ADMIN_URL';

interface Inventory {
  system: string;
  services: { api: { deploy: { argv: string[] } } };
  environments: {
    name: string;
    databases: { app: { url: { env: string }; nodes?: Record<string, string> } };
    secrets: { DATABASE_URL: { swap: Record<string, unknown> } };
  }[];
  secrets: { DATABASE_URL: { swap: Record<string, unknown> } };
}

let system: ExampleSystem;
let stage: Stage;
let inventoryFile: string;
let inventory: Inventory;

beforeAll(async () => {
  system = await runningSystem('messaging/staging');
  sweepRoles([system]);
  const home = await temporaryDirectory('swap-refusals');
  afterwards(() => home.remove());
  inventoryFile = join(home.path, 'messaging.yaml');
  inventory = parse(await readFile(join(EXAMPLES, 'messaging', 'system.yaml'), 'utf8')) as Inventory;
  inventory.services.api.deploy.argv[1] = join(EXAMPLES, 'lib', 'reload.js');
  await write(inventory);
  const wrong = new URL(variable(system, '_ADMIN_URL'));
  wrong.password = 'not-its-password-at-all';
  const more = { ...system, variables: { [WRONG]: wrong.href } };
  stage = await openStage('swap_refusals', [system, more], { inventory: home.path });
  await stage.startWorker();
}, 300_000);

describe('with nothing changed', { timeout: 300_000 }, () => {
  test.each<[string, (inventory: Inventory) => void, RegExp, RegExp]>([
    [
      "an administrator's password that is wrong",
      (changed) => void (staging(changed).databases.app.url.env = WRONG),
      /does not accept this user and password/,
      new RegExp(`administrator's URL in the variable ${WRONG}`),
    ],
    [
      'a replica that cannot be reached',
      (changed) => void (staging(changed).databases.app.nodes = { 'replica-1': '127.0.0.1:1' }),
      /replica-1.*(ECONNREFUSED|refused)/,
      /replica-1|node|reach/,
    ],
    [
      'a database that there is not',
      (changed) => void (changed.secrets.DATABASE_URL.swap['name'] = 'no_such_database'),
      /there is no such database/,
      /the database's name in the inventory, no_such_database/,
    ],
  ])('%s', async (_, change, problem, hint) => {
    const changed = structuredClone(inventory);
    change(changed);
    await refused(changed, problem, hint);
  });

  test("the server's first superuser, who can be neither dropped nor demoted: a new password in place is offered", async () => {
    const before = await readFile(system.envFile, 'utf8');
    onTestFinished(() => writeFile(system.envFile, before));
    writeSetting(system, 'DATABASE_URL', variable(system, '_ADMIN_URL'));
    await refused(
      inventory,
      /first superuser: it can be neither dropped nor demoted/,
      /strategy same-role: a new password in place/,
    );
  });
});

function staging({ environments }: Inventory): Inventory['environments'][number] {
  return environments.find(({ name }) => name === 'staging')!;
}

async function write(changed: Inventory): Promise<void> {
  await writeFile(inventoryFile, stringify(changed));
}

/** By the plan and by a run; and neither has done anything. */
async function refused(changed: Inventory, problem: RegExp, hint: RegExp): Promise<void> {
  await write(changed);
  const before = await world();
  const plan = await stage.keyturn('plan', REF, '--operator', 'ana@example.test');
  expect(plan.exitCode, plan.stdout + plan.stderr).toBe(1);
  const wrong = plan.stdout.split('\n').filter((line) => line.includes('✗ '));
  expect(wrong.join('\n')).toMatch(problem);
  expect(wrong.join('\n')).toMatch(hint);
  expect(plan.stdout).toContain('a run would stop at its first step; nothing has been changed');

  const run = await stage.keyturn('rotate', REF, '--operator', 'ana@example.test', '--wait');
  expect(run.exitCode, run.stdout).toBe(1);
  const [error = ''] = /^error: .*$/m.exec(run.stderr) ?? [];
  expect(error).toMatch(problem);
  expect(error).toContain('nothing was changed');
  expect(run.stdout + run.stderr).toMatch(hint);
  expect(await world()).toEqual(before);
}

async function world(): Promise<object> {
  const client = new pg.Client({ connectionString: stage.ledgerUrl });
  await client.connect();
  const { rows } = await client.query('SELECT count(*) FROM keyturn.rotations').finally(() => client.end());
  const roles = await rolesOf(system);
  return {
    file: await readFile(system.envFile, 'utf8'),
    roles: roles.map(({ name, login }) => ({ name, login })),
    ledger: rows as unknown[],
  };
}
