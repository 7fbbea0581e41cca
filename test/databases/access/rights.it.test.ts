/** docs/administrator-rights.md: its statements are enough, and from 16 on each of the needed ones is needed. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { assessAdministrator } from '../../../src/databases/access/assess-administrator.js';
import { watchRejectedLogins } from '../../../src/databases/access/rejected-logins.js';
import { scramVerifier } from '../../../src/databases/access/scram.js';
import { assessSwap } from '../../../src/databases/roles/assess-swap.js';
import { compareRights } from '../../../src/databases/roles/compare-rights.js';
import { createLogin } from '../../../src/databases/roles/create-login.js';
import { dropLogin } from '../../../src/databases/roles/drop-login.js';
import { forbidLogin } from '../../../src/databases/roles/toggle-login.js';
import type { Server } from '../../../src/databases/server.js';
import { startVersion, type TestServer } from '../../support/postgres-versions.js';
import { failureOf, inDatabase, newPassword, serverFor } from './support.js';
import { sampled } from '../../support/sample.js';

const PAGE = await readFile('docs/administrator-rights.md', 'utf8');
const password = newPassword();

function statementsOf(heading: string): string[] {
  const [, block] = new RegExp(`<!-- rights: ${heading} -->\\n+\`\`\`sql\\n([^]*?)\`\`\``).exec(PAGE) ?? [];
  return (block ?? '').split(';\n').filter((statement) => statement !== '');
}

/** The role of the page, anew, with what stands there under these headings. */
async function administrator(postgres: TestServer, statements: readonly string[]): Promise<Server> {
  const [{ there } = { there: false }] = await postgres.sql(
    `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'keyturn') AS there`,
  );
  if (there === true) await inDatabase(postgres, 'DROP OWNED BY keyturn', 'DROP ROLE keyturn');
  const all = [...statementsOf('always'), ...statements];
  await inDatabase(postgres, ...all, `ALTER ROLE keyturn PASSWORD '${scramVerifier(password, 'x')}'`);
  return serverFor(postgres, { administrator: { user: 'keyturn', password } });
}

describe.each(sampled([14, 18] as const, 1))('PostgreSQL %s', (major) => {
  test('as the page has it, and no less', async (context) => {
    const postgres = await startVersion(major, { logging_collector: 'on', log_destination: 'csvlog' });
    if (typeof postgres === 'string') return context.skip(postgres);
    const verifier = scramVerifier(newPassword(), 'app_v1');
    await postgres.sql(
      'CREATE ROLE app_owner NOLOGIN',
      `CREATE ROLE app_v1 LOGIN PASSWORD '${verifier}'`,
      'CREATE DATABASE app OWNER app_owner',
    );
    await inDatabase(
      postgres,
      'SET ROLE app_owner',
      'CREATE TABLE notes (id int PRIMARY KEY, text text)',
      'GRANT SELECT, INSERT ON notes TO app_v1',
    );

    const swap = statementsOf('swap');
    for (const { strategy, group } of [
      { strategy: 'same-role', group: null },
      { strategy: 'group', group: null },
      { strategy: 'copy', group: null },
    ] as const) {
      const needs = { strategy, role: 'app_v1', group };
      const server = await administrator(postgres, swap);
      expect(await assessAdministrator(server, needs)).toEqual({ problems: [], warnings: [] });
      if (strategy === 'same-role') continue;
      const pair = { strategy, old: 'app_v1', fresh: 'app_v2', group };
      expect((await assessSwap(server, pair)).problems).toEqual([]);
      await createLogin(server, { ...pair, verifier, mark: 'mark' });
      await compareRights(server, pair);
      await dropLogin(server, { role: 'app_v2', heir: 'app_v1', mark: 'mark' });
    }
    for (const left of swap) {
      const server = await administrator(
        postgres,
        swap.filter((statement) => statement !== left),
      );
      const { problems } = await assessAdministrator(server, { strategy: 'group', role: 'app_v1', group: 'app_owner' });
      expect(problems.length > 0, `without ${left}`).toBe(major >= 16 || left.includes('pg_signal_backend'));
    }

    const touch = (server: Server): Promise<unknown> =>
      server.asWorker((client) => client.query('UPDATE notes SET text = text'), { touched: ['public.notes'] });
    const tables = await administrator(postgres, statementsOf('tables'));
    await touch(tables);
    await tables.close();
    const without = await administrator(postgres, []);
    if (major < 16) await touch(without);
    else expect(await failureOf(touch(without))).toMatchObject({ code: 'no-working-login' });
    await without.close();

    const seeing = await administrator(postgres, [...swap, ...statementsOf('hba'), ...statementsOf('log')]);
    const pair = { strategy: 'copy', old: 'app_v1', fresh: 'app_v2', group: null } as const;
    expect(JSON.stringify(await assessSwap(seeing, pair))).not.toContain('may not be read');
    await forbidLogin(seeing, 'app_v1');
    const watched = await watchRejectedLogins(seeing, 'app_v1', { milliseconds: 0, signal: seeing.signal });
    expect(watched).toMatchObject({ readable: true });
    const blind = await administrator(postgres, swap);
    expect(JSON.stringify(await assessSwap(blind, pair))).toContain('may not be read');
  }, 60_000);
});
