/** What would fail once the services stand still is found before they are stopped. */
import { appendFile, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { id, run } from '../../databases/roles/support/world.js';
import { freshRoleName } from '../../support/servers.js';
import { freshKey, sealed } from './support/fernet.js';
import { carriedOut } from './support/runs.js';
import { Stage } from './support/stage.js';
import type { System } from './support/system.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

/** Keyturn signs in as somebody who may do just this. */
async function signInAs({ database, table, variables }: System, grants: (table: string) => string): Promise<void> {
  const role = freshRoleName('keyturn_admin');
  await run(database.url, `CREATE ROLE ${role} LOGIN PASSWORD 'only-for-this-test'; ${grants(id(table))} TO ${role}`);
  const url = new URL(database.url);
  url.username = role;
  url.password = 'only-for-this-test';
  (variables as Record<string, string>)['ADMIN'] = url.href;
}

it('online: a trigger that lets nobody but the application write a value', async () => {
  const { outcome, untouched } = await carriedOut(
    stage,
    { mode: 'online' },
    {
      prepare: async ({ database, table }) => {
        await run(
          database.url,
          `CREATE FUNCTION mask_${table}() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF current_setting('application_name') = 'keyturn' THEN NEW.value := '***'; END IF; RETURN NEW; END $$;
           CREATE TRIGGER mask BEFORE UPDATE ON ${id(table)} FOR EACH ROW EXECUTE FUNCTION mask_${table}();`,
        );
      },
    },
  );
  expect(outcome).toMatch(/^rolled-back: .*did not keep what was written/);
  expect(untouched).toBe(true);
});

it('atomic: an administrator who may write the column, and not hold the table', async () => {
  const { outcome, history } = await carriedOut(
    stage,
    { mode: 'atomic' },
    { prepare: (system) => signInAs(system, (table) => `GRANT SELECT, UPDATE (value) ON ${table}`) },
  );
  expect(outcome).toMatch(/^rolled-back: .*rows of credentials_\w+\.value: \w+ may not hold .*GRANT UPDATE ON/);
  expect(history).toEqual([]);
});

it.each(['atomic', 'online'] as const)('%s: an administrator who may only read', async (mode) => {
  const { outcome, history } = await carriedOut(
    stage,
    { mode },
    {
      prepare: async (system) => {
        await signInAs(system, (table) => `GRANT SELECT, UPDATE ON ${table}`);
        const { username } = new URL(system.variables['ADMIN'] ?? '');
        await run(system.database.url, `ALTER ROLE ${username} SET default_transaction_read_only = on`);
      },
    },
  );
  expect(outcome).toMatch(/^rolled-back: .*database server: .*read-only/);
  expect(history).toEqual([]);
});

it('online: a second variable with a key that rows are still under', async () => {
  const older = freshKey();
  const { outcome, history } = await carriedOut(
    stage,
    { mode: 'online' },
    {
      prepare: async ({ database, table, envFile, secret, application }) => {
        await appendFile(envFile, `${secret}_PREVIOUS=${older}\n`);
        for (let row = 1; row <= 20; row += 1) {
          application.truth.set(row, `older ${row}`);
          await run(
            database.url,
            `UPDATE ${id(table)} SET value = '${sealed(`older ${row}`, older)}' WHERE id = ${row}`,
          );
        }
        await application.deploy();
      },
      after: async ({ envFile }) => {
        expect(await readFile(envFile, 'utf8')).toContain(older);
      },
    },
  );
  expect(outcome).toMatch(
    /^rolled-back: .*ENCRYPTION_KEY_PREVIOUS holds another key, which reads 20 row\(s\) of public\.credentials/,
  );
  // By the test itself: the application has both keys.
  expect(history).toEqual(['deployed']);
});
