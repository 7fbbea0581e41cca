/**
 * `"$user"` in a search path is the schema called like whoever is working: another one once the role has another name. All rights may be
 * equal then, and no table is found.
 */
import { isRefusal } from '../access/replay.js';
import type { Login, Server } from '../server.js';
import { KeyturnError } from '../../domain/errors.js';
import type { RolePair } from './pair.js';
import { inEach, reachableDatabases } from './reach.js';
import { actingRole } from './read-rights.js';
import { inTransaction, runAll } from './session.js';
import { listElements, setStatement } from './settings.js';

/**
 * Where a schema is called like the old role, the new one is given the path that it has at log-in with that name in the place of
 * `"$user"`. Idempotent. @returns what was given, in words.
 */
export async function spellOutSearchPath(server: Server, pair: RolePair, fresh: Login): Promise<string[]> {
  const databases = await inTransaction(server, { purpose: 'read' }, async (session) => [
    ...new Set([session.database, ...(await reachableDatabases(session, [pair.old]))]),
  ]);
  const given = await inEach(server, databases, async (database) => {
    const schema = await schemaOfTheOld(server, database, pair);
    if (schema === null) return [];
    const path = await pathOf(server, database, fresh);
    if (!path?.includes('$user') || path.includes(schema)) return [];
    const spelled = path.map((name) => (name === '$user' ? schema : name));
    const value = spelled.map((name) => `"${name.replaceAll('"', '""')}"`).join(', ');
    await inTransaction(server, {}, (session) =>
      runAll(session, [setStatement({ role: pair.fresh, database, name: 'search_path', value })]),
    );
    return [`setting search_path in database ${database}: ${spelled.join(', ')}`];
  });
  return given.flat();
}

/** null: the same for both, or there is none. */
function schemaOfTheOld(server: Server, database: string, { old, fresh }: RolePair): Promise<string | null> {
  return inTransaction(server, { purpose: 'read', database }, async (session) => {
    const [was, is] = [await actingRole(session, old), await actingRole(session, fresh)];
    if (was === is) return null;
    const { rowCount } = await session.client.query('SELECT FROM pg_namespace WHERE nspname = $1', [was]);
    return rowCount === 0 ? null : was;
  });
}

/** What counts at log-in: the server's own setting may be read nowhere else. null: the role may not connect there. */
async function pathOf(server: Server, database: string, login: Login): Promise<string[] | null> {
  try {
    return await server.as(
      login,
      async (client) => {
        const { rows } = await client.query<{ search_path: string }>('SHOW search_path');
        return listElements(rows[0]?.search_path ?? '');
      },
      { database },
    );
  } catch (error) {
    if (isRefusal(error)) return null;
    throw error;
  }
}

/** That both find the same schemas by bare names, once logged in. @throws KeyturnError `rights-differ`; and as Server. */
export async function demandSameSchemas(server: Server, old: Login, fresh: Login): Promise<void> {
  const schemasOf = (login: Login): Promise<string[]> =>
    server.as(login, async (client) => {
      const { rows } = await client.query<{ schemas: string[] }>(
        'SELECT pg_catalog.current_schemas(false)::pg_catalog.text[] AS schemas',
      );
      return rows[0]?.schemas ?? [];
    });
  const had = await schemasOf(old).catch((error: unknown) => {
    // Shut out already: there is nothing to compare with.
    if (isRefusal(error)) return null;
    throw error;
  });
  if (had === null) return;
  const has = await schemasOf(fresh);
  if (had.join('\0') === has.join('\0')) return;
  throw new KeyturnError(
    'rights-differ',
    `bare names are looked for in other schemas: ${old.user} in ${had.join(', ') || 'none'}, ${fresh.user} in ${has.join(', ') || 'none'}`,
    {
      hint: `ALTER ROLE ${old.user} SET search_path TO …, each schema by its name; then start again`,
      effect: 'applied',
    },
  );
}
