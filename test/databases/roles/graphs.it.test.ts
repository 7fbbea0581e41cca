/** Random roles swapped: whatever the old one could do, the new one can, and nobody else lost or gained anything. */
import pg from 'pg';
import { beforeAll, expect, it } from 'vitest';
import { compareRights } from '../../../src/databases/roles/compare-rights.js';
import { createLogin } from '../../../src/databases/roles/create-login.js';
import { dropLogin, retireGroupLogin } from '../../../src/databases/roles/drop-login.js';
import { inspectRole } from '../../../src/databases/roles/inspect-role.js';
import type { RolePair } from '../../../src/databases/roles/pair.js';
import { readRights } from '../../../src/databases/roles/read-rights.js';
import { makeHostile, type HostileDatabase } from '../../support/hostile-database.js';
import { startVersion, type Major } from '../../support/postgres-versions.js';
import { tryEverything } from './support/battery.js';
import { randomGraph, type Graph } from './support/graph.js';
import { EQUAL, id, MARK, run, scramVerifier, serverOn, urlAs, type Place } from './support/world.js';
import { DEEP, seed } from '../../support/sample.js';

const ALL = 200;
const COUNT = Number(process.env['KEYTURN_GRAPHS'] ?? (DEEP ? ALL : 24));
/** The same graphs every time, or some of them: what is red then is red because of a change. Others are looked for by `KEYTURN_SEED=$RANDOM`. */
const FIRST = 1_046_934_999;
const SEED = Number(process.env['KEYTURN_SEED'] ?? (DEEP ? FIRST : FIRST + (seed() % (ALL - COUNT + 1))));
const PASSWORD = 'fresh';
const verifier = scramVerifier(PASSWORD);

/** A server of its own: rights are compared in every database of a cluster, and other tests have theirs in the shared one. */
const MAJOR = Number(process.env['KEYTURN_GRAPHS_POSTGRES'] ?? 18) as Major;

/** With a hostile application in it, whose code is on every table of a graph. */
type HostilePlace = Place & Pick<HostileDatabase, 'trapTables'>;
type Lane = readonly [HostilePlace, HostilePlace];
/** Two servers: the graphs of one lane wait for each other, because they share databases and what a cluster shares. */
const LANES = 2;
const lanes: Lane[] = [];

beforeAll(async () => {
  for (let n = 0; n < LANES; n++) {
    const postgres = await startVersion(MAJOR, { fsync: 'off' });
    if (typeof postgres === 'string') throw new Error(postgres);
    // Thousands of log-ins, and none of them is about the password.
    await postgres.authenticate(['host all all 127.0.0.1/32 trust']);
    const place = async (name: string): Promise<HostilePlace> => {
      await postgres.sql(`CREATE DATABASE ${name}`, `REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`);
      const url = postgres.urlOf(name);
      const { trapTables } = await makeHostile(url, `${name}_hostile`, { adopt: false });
      return { name, url, trapTables };
    };
    const lane: Lane = [await place('graph_a'), await place('graph_b')];
    await run(
      lane[0].url,
      'ALTER DATABASE template1 ALLOW_CONNECTIONS false; ALTER DATABASE postgres ALLOW_CONNECTIONS false',
    );
    lanes.push(lane);
  }
});

it(
  `${COUNT} random roles can do the same after a swap, and nobody lost anything (seed ${SEED})`,
  async () => {
    console.log(`${COUNT} graphs from seed ${SEED} on PostgreSQL ${MAJOR}`);
    let n = 0;
    const work = async (lane: Lane): Promise<void> => {
      while (n < COUNT) {
        const seed = SEED + n++;
        const strategy = seed % 2 === 0 ? 'copy' : 'group';
        try {
          await swapOne(lane, seed, strategy);
        } catch (error) {
          n = COUNT;
          throw new Error(`KEYTURN_GRAPHS=1 KEYTURN_SEED=${seed} (${strategy})`, { cause: error });
        }
      }
    };
    await Promise.all(lanes.map(work));
  },
  Math.max(120_000, COUNT * 5_000),
);

async function swapOne(databases: Lane, seed: number, strategy: 'copy' | 'group'): Promise<void> {
  const graph = randomGraph(
    seed,
    `g${seed.toString(36)}`,
    databases.map(({ name }) => name),
    MAJOR * 10_000,
  );
  const [fresh, next] = [`${graph.old}_fresh`, `${graph.old}_next`];
  await build(databases, graph);
  try {
    await swap(databases, graph, strategy, fresh, next, seed);
  } finally {
    await tearDown(databases, graph, [graph.old, fresh, next, ...graph.thirds]);
  }
}

async function swap(
  databases: Lane,
  graph: Graph,
  strategy: 'copy' | 'group',
  fresh: string,
  next: string,
  seed: number,
): Promise<void> {
  const { old } = graph;
  const server = serverOn(databases[0].url);
  const could = await everything(databases, graph, old, 'old');
  // With `group` the new role acts as the old one, so it takes back what that has granted, and all is compared at all times.
  const granted = strategy === 'copy' ? await grantedTables(databases, old) : [];
  const whileBothExist = (results: readonly string[]): string[] => results.filter((line) => !isRevoke(line, granted));
  const world = await worldOf(databases, graph, [old]);

  const pair: RolePair = { strategy, old, fresh, group: null };
  if (seed % 8 < 2) {
    const before = await inspectRole(server, old);
    await createLogin(server, { ...pair, verifier, mark: MARK });
    await dropLogin(server, { role: fresh, heir: old, mark: MARK });
    expect(await inspectRole(server, old)).toEqual(before);
  }
  await createLogin(server, { ...pair, verifier, mark: MARK });
  expect(await compareRights(server, pair)).toEqual(EQUAL);
  expect(whileBothExist(await everything(databases, graph, fresh, PASSWORD))).toEqual(whileBothExist(could));
  if (seed % 4 < 2)
    expect(whileBothExist(await everything(databases, graph, old, 'old'))).toEqual(whileBothExist(could));
  if (strategy === 'copy') {
    await dropLogin(server, { role: old, heir: fresh });
    expect(await inspectRole(server, old)).toBeNull();
    expect(await everything(databases, graph, fresh, PASSWORD)).toEqual(could);
    expect(await worldOf(databases, graph, [fresh])).toEqual(world);
    return;
  }
  await retireGroupLogin(server, old);
  // The second generation: now the old log-in goes.
  const second: RolePair = { strategy, old: fresh, fresh: next, group: old };
  await createLogin(server, { ...second, verifier, mark: MARK });
  expect(await compareRights(server, second)).toEqual(EQUAL);
  await dropLogin(server, { role: fresh, heir: old });
  expect(await inspectRole(server, fresh)).toBeNull();
  expect(await everything(databases, graph, next, PASSWORD)).toEqual(could);
  expect(await worldOf(databases, graph, [next, old])).toEqual(world);
}

/**
 * Tables of others on which the old role has granted something, `"schema".table`. Only the grantor takes a grant back, and each of two
 * roles is a grantor of its own (PostgreSQL, "GRANT"): while both exist, a REVOKE by one leaves what the other has granted.
 * After the drop it is compared like everything else.
 */
async function grantedTables(databases: Lane, old: string): Promise<string[]> {
  const found: string[] = [];
  for (const { url } of databases) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query<{ name: string }>(
      `SELECT DISTINCT format('"%s".%s', n.nspname, c.relname) AS name
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (SELECT c.relacl AS acl UNION ALL SELECT a.attacl FROM pg_attribute a WHERE a.attrelid = c.oid) acls
        CROSS JOIN LATERAL aclexplode(acls.acl) granted
         JOIN pg_roles r ON r.oid = granted.grantor AND r.oid <> c.relowner
        WHERE r.rolname = $1`,
      [old],
    );
    await client.end();
    found.push(...rows.map(({ name }) => name));
  }
  return found;
}

function isRevoke(line: string, tables: readonly string[]): boolean {
  return tables.some((table) => line.startsWith(`REVOKE ALL ON ${table} FROM `));
}

async function everything(databases: Lane, graph: Graph, user: string, password: string): Promise<string[]> {
  const results: string[] = [];
  for (const { url } of databases) results.push(...(await tryEverything(urlAs(url, user, password), graph)));
  return results;
}

/** What the role that is swapped, and everybody else, can do; the role by one name whatever it is called. */
async function worldOf(databases: Lane, { thirds }: Graph, names: readonly string[]): Promise<string[]> {
  const [role] = names;
  const rights = await readRights(serverOn(databases[0].url), [role ?? '', ...thirds]);
  const lines = rights.flatMap((read, n) =>
    [...read].flatMap(([subject, has]) =>
      has.map((what) => `${n === 0 ? 'the role' : thirds[n - 1]}: ${subject}: ${what}`),
    ),
  );
  // The group and its member count as one; longest names first, as one contains the other.
  const called = [...names]
    .sort((a, b) => b.length - a.length)
    .reduce((text, name) => text.replaceAll(name, 'THE-ROLE'), lines.join('\n'));
  return [...new Set(called.split('\n'))].filter((line) => !line.includes(': role THE-ROLE')).sort();
}

async function build(databases: Lane, graph: Graph): Promise<void> {
  await attemptAll(databases[0].url, graph.cluster);
  for (const [n, { url, trapTables }] of databases.entries()) {
    await attemptAll(url, graph.databases[n] ?? []);
    await trapTables();
  }
}

/** Each statement on its own: one that the server refuses leaves the others. */
async function attemptAll(url: string, statements: readonly string[]): Promise<void> {
  const blocks = statements.map(
    (statement) => `BEGIN EXECUTE ${pg.escapeLiteral(statement)}; EXCEPTION WHEN OTHERS THEN RESET ROLE; END;`,
  );
  await run(url, `DO ${pg.escapeLiteral(`BEGIN ${blocks.join('\n')} END`)}`);
}

async function tearDown(databases: Lane, graph: Graph, roles: readonly string[]): Promise<void> {
  const present = roles.map((role) => pg.escapeLiteral(role)).join(', ');
  for (const { url } of databases) {
    await attemptAll(
      url,
      graph.schemas
        .map((schema) => `DROP SCHEMA ${id(schema)} CASCADE`)
        .concat('SELECT lo_unlink(4711)', graph.cleanUp),
    );
    await run(
      url,
      `DO $$ DECLARE r text; BEGIN
         FOR r IN SELECT rolname FROM pg_roles WHERE rolname IN (${present}) LOOP EXECUTE pg_catalog.format('DROP OWNED BY %I CASCADE', r); END LOOP;
       END $$`,
    );
  }
  await run(databases[0].url, roles.map((role) => `DROP ROLE IF EXISTS ${id(role)}`).join(';'));
}
