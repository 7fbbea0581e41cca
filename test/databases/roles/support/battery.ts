/** What a role can do, tried: the same attempts in the same order, each undone, with its result or its error code. */
import pg from 'pg';
import { TABLES, type Graph } from './graph.js';
import { id } from './world.js';

interface Attempt {
  readonly act: string;
  /** Asked afterwards, when the act succeeds. */
  readonly ask?: string;
}

/** @returns one line for each attempt; the same for roles that can do the same. */
export async function tryEverything(url: string, graph: Graph): Promise<string[]> {
  const all = attempts(graph);
  const client = new pg.Client({ connectionString: url });
  const results: string[] = [];
  client.on('notice', ({ message }) => {
    if (message?.startsWith('result ')) results.push(message);
  });
  await client.connect();
  try {
    // Inside the server: a round trip for each would take minutes over all graphs. The act runs with the role's own rights.
    await client.query(
      `SET client_min_messages = notice;
       DO ${pg.escapeLiteral(`
         DECLARE acts text[] := ${array(all.map(({ act }) => act))};
                 asks text[] := ${array(all.map(({ ask }) => ask ?? ''))};
                 answer text; state text; n int;
         BEGIN
           FOR n IN 1 .. array_length(acts, 1) LOOP
             answer := '';
             BEGIN
               IF acts[n] ILIKE 'SELECT%' THEN EXECUTE acts[n] INTO answer; ELSE EXECUTE acts[n]; END IF;
               IF asks[n] <> '' THEN EXECUTE asks[n] INTO answer; END IF;
               RAISE EXCEPTION 'undone' USING ERRCODE = 'UNDO1';
             EXCEPTION WHEN OTHERS THEN
               state := SQLSTATE;
             END;
             RAISE NOTICE 'result % % %', n, CASE state WHEN 'UNDO1' THEN 'done' ELSE state END, CASE state WHEN 'UNDO1' THEN answer ELSE '' END;
           END LOOP;
         END`)}`,
    );
  } finally {
    await client.end();
  }
  if (results.length !== all.length) throw new Error(`${results.length} results of ${all.length} attempts`);
  return results.map((line, n) => `${all[n]?.act ?? ''} → ${line.replace(/^result \d+ /, '')}`);
}

const array = (texts: readonly string[]): string => `ARRAY[${texts.map(pg.escapeLiteral).join(', ')}]::text[]`;

function attempts({ schemas, thirds }: Graph): Attempt[] {
  const [first] = thirds;
  const anyRights = (object: string, rights: string): string =>
    `SELECT string_agg(r || ' ' || p || ' ' || has_table_privilege(r, '${object}', p), ', ' ORDER BY r, p)
       FROM unnest(${array(thirds)}) r, unnest(string_to_array('${rights}', ',')) p`;
  return [
    ...['search_path', 'work_mem', 'statement_timeout', 'TimeZone', 'DateStyle'].map((name) => ({
      act: `SELECT current_setting('${name}')`,
    })),
    { act: `SELECT current_setting('my_app.tenant', true)` },
    { act: `SELECT set_config('log_min_duration_statement', '77', true)` },
    {
      act: `CREATE SCHEMA fresh_schema; CREATE TABLE fresh_schema.made (a int)`,
      ask: anyRights('fresh_schema.made', 'SELECT,INSERT'),
    },
    { act: `CREATE TEMP TABLE temporary (a int)` },
    { act: `CREATE ROLE nobody_at_all` },
    { act: `SELECT lo_get(4711)::text` },
    { act: `SELECT lo_put(4711, 0, 'x')::text` },
    { act: `SELECT (lo_unlink(4711))::text` },
    ...thirds.flatMap((role) => [
      { act: `SET LOCAL ROLE ${id(role)}` },
      { act: `GRANT ${id(role)} TO ${id(first ?? '')}` },
      { act: `ALTER DEFAULT PRIVILEGES FOR ROLE ${id(role)} GRANT SELECT ON TABLES TO PUBLIC` },
    ]),
    ...schemas.flatMap((schema) => inSchema(id(schema), first ?? '', anyRights)),
  ];
}

function inSchema(s: string, third: string, anyRights: (object: string, rights: string) => string): Attempt[] {
  return [
    {
      act: `CREATE TABLE ${s}.made (a int)`,
      ask: anyRights(`${s}.made`, 'SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER'),
    },
    { act: `CREATE TABLE ${s}.made (a int); INSERT INTO ${s}.made VALUES (1)` },
    {
      act: `CREATE FUNCTION ${s}.made() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      ask: `SELECT has_function_privilege('${third}', '${s}.made()', 'EXECUTE')::text || has_function_privilege('${s}.made()', 'EXECUTE')::text`,
    },
    {
      act: `GRANT USAGE ON SCHEMA ${s} TO ${id(third)}`,
      ask: `SELECT has_schema_privilege('${third}', '${s}', 'USAGE')::text`,
    },
    { act: `DROP SCHEMA ${s} CASCADE` },
    { act: `SELECT count(*)::text FROM ${s}.v` },
    { act: `SELECT ${s}.f(1)::text` },
    { act: `CALL ${s}.p(1)` },
    { act: `CREATE TEMP TABLE of_domain (a ${s}.d)` },
    { act: `ALTER DOMAIN ${s}.d SET DEFAULT 3` },
    { act: `DROP FUNCTION ${s}.f(int, text)` },
    ...TABLES.flatMap((table): Attempt[] => {
      const t = `${s}.${table}`;
      return [
        { act: `SELECT count(*)::text || coalesce(sum(b), 0)::text FROM ${t}` },
        { act: `SELECT count(a)::text FROM ${t}` },
        { act: `SELECT string_agg(c, ',') FROM ${t}` },
        { act: `INSERT INTO ${t} (b, c) VALUES (2, 'n')` },
        { act: `INSERT INTO ${t} (a, b) VALUES (99, 12)` },
        { act: `UPDATE ${t} SET b = b + 1` },
        { act: `UPDATE ${t} SET c = 'z' WHERE b = 2` },
        { act: `DELETE FROM ${t}` },
        { act: `TRUNCATE ${t}` },
        { act: `ALTER TABLE ${t} ADD COLUMN more int` },
        { act: `CREATE TEMP TABLE refers (a int); CREATE INDEX made_index ON ${t} (b)` },
        { act: `SELECT (nextval('${t}_a_seq') > 0)::text` },
        { act: `SELECT (last_value > 0)::text FROM ${t}_a_seq` },
        { act: `GRANT SELECT, INSERT ON ${t} TO ${id(third)}`, ask: anyRights(t, 'SELECT,INSERT') },
        { act: `REVOKE ALL ON ${t} FROM ${id(third)} CASCADE`, ask: anyRights(t, 'SELECT,INSERT,UPDATE') },
        { act: `DROP TABLE ${t} CASCADE` },
      ];
    }),
  ];
}
