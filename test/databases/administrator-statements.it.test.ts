/**
 * Every statement that the administrator's connections send, in a swap and in the steps that touch the application's tables, taken from the
 * server's own log, against what is written down in docs/administrator-statements.md. KEYTURN_WRITE_STATEMENTS=1 writes that page anew.
 */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { beforeEach, expect, test } from 'vitest';
import pg from 'pg';
import { askSql } from '../../src/checks/sql.js';
import { revokeSessions, tryRevocation } from '../../src/checks/sessions.js';
import { openFinder, openReader, openReencryptor } from '../../src/ciphers/open-cipher.js';
import { assessAdministrator } from '../../src/databases/access/assess-administrator.js';
import { setPassword } from '../../src/databases/access/password.js';
import { proveLogin, proveRefused, wrongPasswordIsRefused } from '../../src/databases/access/prove-login.js';
import { watchRejectedLogins } from '../../src/databases/access/rejected-logins.js';
import { scramVerifier } from '../../src/databases/access/scram.js';
import { listSessions, serverTime, terminateSessions } from '../../src/databases/access/sessions.js';
import { demandPasswordTaken } from '../../src/databases/access/password-taken.js';
import { assessSwap, recommendStrategy } from '../../src/databases/roles/assess-swap.js';
import { compareRights } from '../../src/databases/roles/compare-rights.js';
import { createLogin } from '../../src/databases/roles/create-login.js';
import { dropLogin, retireGroupLogin } from '../../src/databases/roles/drop-login.js';
import { spellOutSearchPath } from '../../src/databases/roles/search-path.js';
import { forbidLogin, permitLogin } from '../../src/databases/roles/toggle-login.js';
import { throttle as throttleSpec } from '../../src/domain/specs/encryption.js';
import { reencryptAtomically } from '../../src/reencryption/atomic.js';
import { census } from '../../src/reencryption/census.js';
import { columnFacts } from '../../src/reencryption/column-facts.js';
import { searchElsewhere } from '../../src/reencryption/elsewhere/search.js';
import { turnOut } from '../../src/reencryption/fence.js';
import { WHOLE_TABLE } from '../../src/reencryption/key-range.js';
import { recover } from '../../src/reencryption/recover.js';
import { rehearse } from '../../src/reencryption/rehearsal.js';
import { survey } from '../../src/reencryption/survey.js';
import { sweep } from '../../src/reencryption/sweep.js';
import { createThrottle } from '../../src/reencryption/throttle.js';
import { contextWith } from '../checks/contexts.js';
import { planned } from '../checks/planned.js';
import { fernetToken } from '../ciphers/support.js';
import { FERNET } from '../reencryption/support.js';
import { makeHostile } from '../support/hostile-database.js';
import { connectAs, inDatabase, newPassword, prepare, serverFor } from './access/support.js';
import { startVersion, type TestServer } from '../support/postgres-versions.js';

const PAGE = new URL('../../docs/administrator-statements.md', import.meta.url);
/** Only what the administrator sends, whatever of the application's runs it. */
const LINE = /^keyturn (?:postgres|keyturn) LOG: {2}(?:statement|execute [^:]*): ([^]*)/;
let postgres: TestServer;

beforeEach(async () => {
  const running = await startVersion(18, {
    log_statement: 'all',
    log_line_prefix: '%a %u ',
    logging_collector: 'off',
    max_prepared_transactions: '2',
  });
  if (typeof running === 'string') throw new Error(running);
  postgres = running;
});

test('the administrator sends role DDL, grants and questions to the catalogue, and nothing else', async () => {
  const { administrator, v1 } = await prepare(postgres);
  await postgres.sql(
    'CREATE ROLE others NOLOGIN',
    'GRANT others TO app_v1',
    'GRANT others, app_owner TO keyturn WITH ADMIN OPTION',
  );
  await inDatabase(
    postgres,
    'GRANT CREATE ON DATABASE app TO keyturn, app_v1',
    'GRANT CREATE ON SCHEMA public TO app_v1, others',
    'ALTER ROLE app_v1 SET statement_timeout = 9000',
    'CREATE SCHEMA AUTHORIZATION app_v1',
    'CREATE TABLE app_v1.own (id serial)',
    'ALTER TABLE app_v1.own OWNER TO app_v1',
    'CREATE FUNCTION app_v1.f() RETURNS int LANGUAGE sql RETURN 1',
    'ALTER FUNCTION app_v1.f() OWNER TO app_v1',
    'CREATE POLICY p ON notes TO app_v1 USING (true)',
    'GRANT SELECT ON notes TO others WITH GRANT OPTION',
    'SET ROLE others',
    'GRANT SELECT ON notes TO app_v1',
    'RESET ROLE',
    'ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT SELECT ON TABLES TO app_v1',
    'CREATE FOREIGN DATA WRAPPER w',
    'CREATE SERVER s FOREIGN DATA WRAPPER w',
    'CREATE USER MAPPING FOR app_v1 SERVER s',
  );
  const fresh = { user: 'app_v2', password: newPassword() };
  const verifier = scramVerifier(fresh.password, 'x');
  for (const limited of [false, true]) {
    const server = serverFor(postgres, limited ? { administrator } : {});
    if (limited) await inDatabase(postgres, 'DROP USER MAPPING FOR app_v1 SERVER s');
    for (const strategy of ['copy', 'group'] as const) {
      const pair = { strategy, old: 'app_v1', fresh: 'app_v2', group: null };
      await assessAdministrator(server, { strategy, role: 'app_v1', group: null });
      await demandPasswordTaken(server, newPassword());
      await wrongPasswordIsRefused(server, 'app_v1');
      await assessSwap(server, pair);
      await recommendStrategy(server, 'app_v1', null);
      await createLogin(server, { ...pair, verifier, mark: 'mark' });
      await spellOutSearchPath(server, pair, fresh);
      await proveLogin(server, fresh, { probe: null, expectRole: strategy === 'group' ? 'app_v1' : null });
      await compareRights(server, pair);
      const application = await connectAs(postgres, v1, 'shop');
      await listSessions(server, 'app_v1');
      await forbidLogin(server, 'app_v1');
      await terminateSessions(server, 'app_v1');
      await application.ended;
      await watchRejectedLogins(server, 'app_v1', { milliseconds: 0, signal: server.signal });
      if (strategy === 'group') {
        await dropLogin(server, { role: 'app_v2', heir: 'app_v1', mark: 'mark' });
        await retireGroupLogin(server, 'app_v1');
        await permitLogin(server, 'app_v1');
      } else {
        await dropLogin(server, { role: 'app_v1', heir: 'app_v2' });
        await proveRefused(server, v1, fresh);
        await postgres.sql('ALTER ROLE app_v2 RENAME TO app_v1');
        await postgres.sql('ALTER SCHEMA app_v1 RENAME TO was', 'SELECT 1').catch(() => undefined);
      }
      await serverTime(server);
      await setPassword(server, 'app_v1', scramVerifier(v1.password, 'y'));
    }
  }
  await compare('a swap', 30);
});

test('beside the tables it makes and drops the login of a step, ends sessions and asks the catalogue, and nothing else', async () => {
  await postgres.sql('CREATE DATABASE shop');
  const application = await makeHostile(postgres.urlOf('shop'), 'shop');
  const [old, next] = [randomBytes(32), randomBytes(32)];
  const vault = new pg.Client({ connectionString: application.url });
  await vault.connect();
  await vault.query('CREATE TABLE public.vault (id int PRIMARY KEY, secret text)');
  await vault.query(`INSERT INTO public.vault VALUES (1, '${fernetToken(old, 'kept').toString()}')`);
  await vault.query('CREATE TABLE public.sessions (sid int)');
  await vault.end();
  const administrator = { user: 'keyturn', password: newPassword() };
  await postgres.sql(
    `CREATE ROLE keyturn LOGIN CREATEROLE PASSWORD '${administrator.password.reveal()}'`,
    'GRANT shop TO keyturn WITH ADMIN OPTION',
    'GRANT pg_signal_backend, pg_read_all_stats TO keyturn',
  );
  for (const limited of [false, true]) {
    const server = serverFor(postgres, {
      ...{ database: 'shop', touched: ['public.vault'] },
      ...(limited ? { administrator } : {}),
    });
    const column = { table: 'public.vault', column: 'secret', path: null, where: null, format: FERNET };
    const facts = await columnFacts({ server, column });
    const there = openReencryptor(FERNET, { from: old, to: next });
    const back = openReencryptor(FERNET, { from: next, to: old });
    const readers = { old: openReader(FERNET, old), new: openReader(FERNET, next) };
    await survey({ server, declared: [column] });
    await searchElsewhere({ server, columns: [facts], finders: [openFinder(FERNET, old)], budget: 10_000 });
    await census({ server, facts, readers, budget: null });
    await rehearse({ server, facts, reencryptor: there, range: WHOLE_TABLE });
    await server.asAdministrator((client) => turnOut(client, { rotation: 'rotate:shop', direction: 'to the new key' }));
    const throttle = createThrottle({ spec: throttleSpec.parse({}), signal: server.signal });
    await sweep({ server, facts, reencryptor: there, throttle });
    await reencryptAtomically({ server, columns: [{ facts, reencryptor: back, reader: readers.old }] });
    const columns = [{ facts, reencryptor: there, reader: readers.new }];
    await recover({ server, columns, rotation: 'rotate:shop', label: [] });
    await sweep({ server, facts, reencryptor: back });
    await server.close();

    const checked = serverFor(postgres, { database: 'shop', ...(limited ? { administrator } : {}) });
    const context = { ...contextWith(), serverOf: () => Promise.resolve(checked) };
    const database = { env: 'APP_URL' };
    const count = 'SELECT count(*) FROM public.sessions';
    await askSql(planned('sql', { database, query: count, expect: {} }), context);
    const statements = { count, revoke: 'DELETE FROM public.sessions' };
    await tryRevocation(database, statements, context);
    await revokeSessions(database, statements, context);
    await checked.close();
  }
  await application.release();
  await compare('steps that touch tables', 10);
});

/** Holds what the log has against the part of the page. @param least statements, or the log was not read. */
async function compare(part: string, least: number): Promise<void> {
  const [begin, end] = [`<!-- begin: ${part}, written by the test -->`, `<!-- end: ${part} -->`];
  const sent = statementsIn(await readFile(postgres.logFile, 'utf8'));
  expect(sent.length).toBeGreaterThan(least);
  const [changes, questions] = [sent.filter((one) => !isQuestion(one)), sent.filter(isQuestion)];
  const reads = [...new Set(questions.flatMap(relationsOf))].sort();
  const calls = [...new Set(questions.flatMap(functionsOf))].sort();
  // Each of them is the server's own, and what it is called in an empty search path.
  const known = async (sql: string): Promise<string[]> => (await postgres.sql(sql)).map(({ name }) => String(name));
  expect(reads).toEqual(
    (await known(`SELECT relname AS name FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace`))
      .filter((name) => reads.includes(name))
      .sort(),
  );
  const functions = await known(
    `SELECT DISTINCT proname AS name FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace`,
  );
  expect(calls.filter((name) => !functions.includes(name))).toEqual([]);
  const list = (lines: readonly string[]): string => lines.map((line) => `- \`${line}\``).join('\n');
  const written = [
    `${begin}\n`,
    '### What changes something\n',
    list(changes),
    '\n### What is asked\n',
    'SELECT and SHOW only. Tables and views, all of `pg_catalog`:\n',
    list(reads),
    '\nFunctions, all of `pg_catalog`:\n',
    list(calls),
    `\n${end}`,
  ].join('\n');
  const page = await readFile(PAGE, 'utf8');
  const [head = '', rest = ''] = page.split(begin);
  const tail = rest.split(end)[1] ?? '';
  if (process.env['KEYTURN_WRITE_STATEMENTS']) await writeFile(PAGE, `${head}${written}${tail}`);
  else expect(page).toBe(`${head}${written}${tail}`);
}

/** Without names, literals and numbers of this run; each once. */
function statementsIn(log: string): string[] {
  const entries = log.split(/\n(?=[^\n:]* (?:LOG|ERROR|DETAIL|STATEMENT|WARNING|NOTICE|FATAL|HINT|CONTEXT): {2})/);
  const texts = entries.flatMap((entry) => LINE.exec(entry)?.[1] ?? []);
  const single = texts.flatMap((text) => (/^\s*(?:SELECT|WITH|DO)\b/.test(text) ? [text] : text.split(';\n')));
  return [...new Set(single.map(shapeOf))].sort();
}

function shapeOf(statement: string): string {
  if (/^\s*DO\b/.test(statement))
    return 'DO: CREATE USER MAPPING FOR … SERVER … (its options copied inside the server)';
  const bare = statement
    .replaceAll(/--[^\n]*/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  if (isQuestion(bare)) return bare;
  return bare
    .replaceAll(/'(?:[^']|'')*'/g, "'…'")
    .replaceAll(/"(?:[^"]|"")*"/g, '…')
    .replaceAll(/\b(?:app|was|public|app_v1|hostile)\.\w+(?:\([^)]*\))?/g, '…')
    .replaceAll(/\bkeyturn_work_\w+/g, '…')
    .replaceAll(/\b(GRANT|REVOKE) [A-Z, ]+ ON (\w+) \S+/g, '$1 PRIVILEGES ON $2 …')
    .replaceAll(/(ALTER DEFAULT PRIVILEGES.*) (GRANT|REVOKE) \w+ ON \w+/g, '$1 $2 PRIVILEGE ON OBJECTS')
    .replaceAll(/…(?:, …)+/g, '…')
    .replaceAll(/(CONNECTION LIMIT|lock_timeout =) -?\d+/g, '$1 …');
}

const isQuestion = (statement: string): boolean => /^(?:SELECT|SHOW|WITH)\b/.test(statement);

/** Names after FROM and JOIN and commas there that no sub-select, function or WITH has introduced. */
function relationsOf(statement: string): string[] {
  const bare = statement.replaceAll(/'(?:[^']|'')*'/g, "''");
  const introduced = new Set(
    [...bare.matchAll(/\b(\w+) (?:\([\w, ]*\) )?AS (?:MATERIALIZED )?\(/g)].map(([, name]) => name),
  );
  return [...bare.matchAll(/\b(?:FROM|JOIN) (?:LATERAL )?(?:pg_catalog\.)?([a-z_]+)\b(?! ?\()/g)]
    .map(([, name]) => name!)
    .filter((name) => !introduced.has(name) && name.startsWith('pg_'));
}

/** A name before a bracket that is no keyword of SQL. */
function functionsOf(statement: string): string[] {
  const keywords =
    /^(?:in|any|all|exists|values|array|as|and|or|not|on|when|then|else|from|where|select|with|coalesce|nullif|greatest|least|extract|filter|over|lateral|using|union|p|t|who|above|case|by|x|e|g|word|roles|u|materialized)$/i;
  return [...statement.replaceAll(/'(?:[^']|'')*'/g, "''").matchAll(/\b([a-z_]+) ?\(/gi)]
    .map(([, name]) => name!.toLowerCase())
    .filter((name) => !keywords.test(name));
}
