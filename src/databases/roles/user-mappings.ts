/** How a role logs in on foreign servers. The options hold passwords: they are copied inside the server and never read here. */
import type { Session } from './session.js';
import { literal, runAll } from './session.js';

/** Names of the foreign servers. */
export async function readMappings(session: Session, role: string): Promise<string[]> {
  const { rows } = await session.client.query<{ server: string }>(
    'SELECT srvname AS server FROM pg_user_mappings WHERE usename = $1 ORDER BY 1',
    [role],
  );
  return rows.map(({ server }) => server);
}

/** @returns what was done, in words. */
export async function carryMappings(session: Session, { from, to }: { from: string; to: string }): Promise<string[]> {
  const present = await readMappings(session, to);
  const missing = (await readMappings(session, from)).filter((server) => !present.includes(server));
  await runAll(
    session,
    missing.map((server) => copyInside(server, from, to)),
  );
  return missing.map((server) => `database ${session.database}: user mapping for server ${server}`);
}

/**
 * pg_user_mappings shows the options to nobody but superusers, the server's owner and the user itself; else the copy has none. An error
 * of the inner statement would have it, with the options, as its context in the server's log: none gets out. A mapping that somebody
 * else made meanwhile stays as it is.
 */
const copyInside = (server: string, from: string, to: string): string =>
  `DO ${literal(`
  DECLARE options text;
  BEGIN
    SELECT string_agg(format('%I %L', o.option_name, o.option_value), ', ') INTO options
      FROM pg_user_mappings m, pg_options_to_table(m.umoptions) o
     WHERE m.srvname = ${literal(server)} AND m.usename = ${literal(from)};
    BEGIN
      EXECUTE format('CREATE USER MAPPING FOR %I SERVER %I', ${literal(to)}, ${literal(server)})
        || coalesce(' OPTIONS (' || options || ')', '');
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL;
      WHEN OTHERS THEN
        RAISE EXCEPTION USING ERRCODE = SQLSTATE,
          MESSAGE = format('the user mapping for server %I could not be copied', ${literal(server)});
    END;
  END`)}`;
