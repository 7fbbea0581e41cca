/**
 * A database whose application is an attacker: its role owns functions, operators, casts, domains, triggers, CHECKs, policies, rules,
 * views and expressions that stand in Keyturn's way, and each of them tries to make the role a superuser and to run a program on the
 * server's host. They act in Keyturn's own sessions only (the ledger's too), so that a test's look at the rows is no attack on the test.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll } from 'vitest';
// Before the servers are stopped, and its databases dropped, they are looked at here.
import './afterwards.js';
import { freshDatabase, freshRoleName, type FreshDatabase } from './servers.js';

const made = new Set<HostileDatabase>();

afterAll(async () => {
  for (const database of made) await database.release();
});

export interface HostileDatabase {
  /** The application's role, which owns everything in it, until a swap hands it on. */
  readonly role: string;
  /** Of a role that was made here. */
  readonly url: string;
  /** The application's code onto every table that is there by now, whoever owns it. */
  trapTables(): Promise<void>;
  /** @throws Error saying what the application has got out of it. */
  assertHarmless(): Promise<void>;
  /** The same for the last time: at the end of the file, or before its server is stopped. */
  release(): Promise<void>;
  /** How often its code ran in a session of Keyturn's: an attack that never runs proves nothing. */
  attacks(): Promise<number>;
}

export type FreshHostileDatabase = FreshDatabase & Pick<HostileDatabase, 'trapTables'>;

export interface HostileOptions {
  /** Tables that the test makes by hand are the application's too, and have its code on them. Default: true. */
  readonly adopt?: boolean;
}

/** @param url a superuser's, of the database that becomes hostile. @param role a new one, or one that is there, and stays as it is. */
export async function makeHostile(
  url: string,
  role: string,
  { adopt = true }: HostileOptions = {},
): Promise<HostileDatabase> {
  const sentinel = join(tmpdir(), `keyturn-hostile-${randomBytes(6).toString('hex')}`);
  const password = randomBytes(12).toString('hex');
  await asFixture(url, [
    `DO $$ BEGIN CREATE ROLE ${pg.escapeIdentifier(role)} LOGIN PASSWORD '${password}'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    `GRANT ALL ON SCHEMA public TO ${pg.escapeIdentifier(role)}`,
    `DO $$ BEGIN EXECUTE format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO %I', current_database(), ${pg.escapeLiteral(role)}); END $$`,
    `SET ROLE ${pg.escapeIdentifier(role)}`,
    ...traps(sentinel),
    'RESET ROLE',
    ...(adopt ? adoption(role) : []),
  ]);
  const own = new URL(url);
  own.username = role;
  own.password = password;
  const database: HostileDatabase = {
    ...{ role, url: own.href },
    trapTables: () => trapTables(url),
    assertHarmless: () => assertHarmless(url, role, sentinel),
    release: () => (made.delete(database) ? assertHarmless(url, role, sentinel) : Promise.resolve()),
    attacks: async () =>
      Number(
        (
          await asFixture(url, ['SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM hostile.attacks'])
        )[0]?.['n'],
      ),
  };
  made.add(database);
  return database;
}

/** With a hostile application in it; its code comes onto the tables of the roles that a test is about by `trapTables`. */
export async function freshHostileDatabase(prefix: string): Promise<FreshHostileDatabase> {
  const database = await freshDatabase(prefix);
  const { trapTables } = await makeHostile(database.url, freshRoleName(`${prefix}_hostile`), { adopt: false });
  return { ...database, trapTables };
}

/** Where no event trigger would do: a plan warns of those. */
async function trapTables(url: string): Promise<void> {
  await asFixture(url, [
    `DO $$ DECLARE found record;
     BEGIN
       FOR found IN SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_|^information_schema$|^hostile$'
                       AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND conname = 'hostile')
       LOOP ${trap('found')} END LOOP;
     END $$`,
  ]);
}

/** For PL/pgSQL. The constraint is inherited, and copied with a table that another is made like: there it is already. */
function trap(record: string): string {
  return `EXECUTE format('ALTER TABLE %I.%I ADD CONSTRAINT hostile CHECK (hostile.yes())', ${record}.schema, ${record}.name);
          EXECUTE format('CREATE TRIGGER hostile BEFORE INSERT OR DELETE ON %I.%I FOR EACH ROW EXECUTE FUNCTION hostile.row()', ${record}.schema, ${record}.name);`;
}

/** What each trap does. Sequences are not rolled back: they keep count of what happened in transactions that were. */
function traps(sentinel: string): string[] {
  // Whose the code is by now: a swap hands it on.
  const attempts = [
    'ALTER ROLE %1$I SUPERUSER',
    'GRANT pg_execute_server_program, pg_write_server_files TO %1$I',
    `COPY (SELECT 1) TO PROGRAM 'touch ${sentinel}'`,
  ].flatMap((attempt) => [
    attempt,
    `RESET ROLE; ${attempt}`,
    `SET ROLE NONE; ${attempt}`,
    `RESET SESSION AUTHORIZATION; ${attempt}`,
  ]);
  const tries = attempts
    .map(
      (attempt) =>
        `BEGIN ${attempt
          .split('; ')
          .map((each) => `EXECUTE pg_catalog.format(${pg.escapeLiteral(each)}, mine);`)
          .join(' ')} EXCEPTION WHEN OTHERS THEN NULL; END;`,
    )
    .join('\n');
  const shadow = (signature: string, returns: string, truth: string): string =>
    `CREATE FUNCTION public.${signature} RETURNS ${returns} LANGUAGE plpgsql AS $f$ BEGIN PERFORM hostile.act(); RETURN ${truth}; END $f$`;
  return [
    'CREATE SCHEMA hostile',
    'CREATE SEQUENCE hostile.attacks',
    'CREATE SEQUENCE hostile.with_power',
    'GRANT USAGE ON SCHEMA hostile TO PUBLIC',
    'GRANT ALL ON SEQUENCE hostile.attacks, hostile.with_power TO PUBLIC',
    `CREATE FUNCTION hostile.act() RETURNS void LANGUAGE plpgsql AS $f$
     DECLARE mine name;
     BEGIN
       IF pg_catalog.current_setting('application_name') !~ '^keyturn' THEN RETURN; END IF;
       mine := (SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace WHERE nspname = 'hostile');
       -- Not in a transaction that only reads; a program runs there all the same.
       BEGIN PERFORM pg_catalog.nextval('hostile.attacks');
       IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname IN (session_user, current_user) AND (rolsuper OR rolcreaterole)
                     AND rolname <> mine) THEN
         PERFORM pg_catalog.nextval('hostile.with_power');
       END IF; EXCEPTION WHEN read_only_sql_transaction THEN NULL; END;
       -- Once in a transaction, and again when its role changes: what failed fails again, and tables have many rows.
       IF pg_catalog.current_setting('hostile.tried', true) = current_user THEN RETURN; END IF;
       PERFORM pg_catalog.set_config('hostile.tried', current_user::text, true);
       ${tries}
     END $f$`,
    `CREATE FUNCTION hostile.yes() RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN PERFORM hostile.act(); RETURN true; END $f$`,
    // Called immutable, as the owner of a table may: that is how it comes into an index and a generated column.
    `CREATE FUNCTION hostile.same(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN PERFORM hostile.act(); RETURN $1; END $f$`,
    `CREATE FUNCTION hostile.row() RETURNS trigger LANGUAGE plpgsql AS $f$
     BEGIN PERFORM hostile.act(); IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $f$`,
    // Better matches for what a statement may hand over than those of pg_catalog.
    shadow('length(varchar)', 'int', 'pg_catalog.length($1::text)'),
    shadow('octet_length(varchar)', 'int', 'pg_catalog.octet_length($1::text)'),
    shadow('lower(varchar)', 'text', 'pg_catalog.lower($1::text)'),
    shadow('left(varchar, int)', 'text', 'pg_catalog."left"($1::text, $2)'),
    shadow('format(text, name)', 'text', 'pg_catalog.format($1, $2)'),
    shadow('pg_has_role(text, text)', 'boolean', 'pg_catalog.pg_has_role($1::name, $2)'),
    shadow('starts_with(name, text)', 'boolean', 'pg_catalog.starts_with($1::text, $2)'),
    shadow('quote_ident(name)', 'text', 'pg_catalog.quote_ident($1::text)'),
    shadow('hostile_equal(varchar, text)', 'boolean', 'pg_catalog.texteq($1::text, $2)'),
    'CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = text, FUNCTION = public.hostile_equal)',
    shadow('hostile_match(name, varchar)', 'boolean', 'NOT pg_catalog.nameregexeq($1, $2::text)'),
    'CREATE OPERATOR public.!~ (LEFTARG = name, RIGHTARG = varchar, FUNCTION = public.hostile_match)',
    // A table in which everything that can run code does.
    `CREATE DOMAIN hostile.note AS text CHECK (hostile.yes())`,
    `CREATE TYPE hostile.pair AS (one int, other int)`,
    `CREATE FUNCTION hostile.said(hostile.pair) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN PERFORM hostile.act(); RETURN pg_catalog.format('(%s,%s)', $1.one, $1.other); END $f$`,
    `CREATE CAST (hostile.pair AS text) WITH FUNCTION hostile.said(hostile.pair) AS ASSIGNMENT`,
    `CREATE TABLE hostile.decoy (id int PRIMARY KEY, body varchar, note hostile.note, pair hostile.pair,
       made text GENERATED ALWAYS AS (hostile.same(body::text)) STORED, CHECK (hostile.yes()))`,
    `INSERT INTO hostile.decoy SELECT n, 'a plain text', 'a note', ROW(n, n)::hostile.pair FROM generate_series(1, 3) n`,
    'CREATE INDEX ON hostile.decoy (hostile.same(body::text))',
    'ALTER TABLE hostile.decoy ENABLE ROW LEVEL SECURITY',
    'CREATE POLICY seen ON hostile.decoy USING (hostile.yes()) WITH CHECK (hostile.yes())',
    'CREATE TRIGGER row BEFORE INSERT OR UPDATE OR DELETE ON hostile.decoy FOR EACH ROW EXECUTE FUNCTION hostile.row()',
    'CREATE VIEW hostile.window AS SELECT *, hostile.yes() FROM hostile.decoy',
    'CREATE RULE instead AS ON UPDATE TO hostile.window DO INSTEAD SELECT hostile.yes()',
  ];
}

/** The fixture's own, and a superuser's: what a test makes goes to the application, with its code on it. */
function adoption(role: string): string[] {
  const name = pg.escapeIdentifier(role);
  return [
    `CREATE FUNCTION hostile.adopt() RETURNS event_trigger LANGUAGE plpgsql AS $f$
     DECLARE made record;
     BEGIN
       IF current_setting('application_name') ~ '^keyturn' THEN RETURN; END IF;
       FOR made IN SELECT d.objid, c.relname AS name, n.nspname AS schema
                     FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE d.command_tag IN ('CREATE TABLE', 'CREATE TABLE AS') AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
                      AND pg_get_userbyid(c.relowner) = session_user
       LOOP
         EXECUTE format('GRANT USAGE ON SCHEMA %I TO ${name}', made.schema);
         EXECUTE format('ALTER TABLE %I.%I OWNER TO ${name}', made.schema, made.name);
         IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = made.objid AND conname = 'hostile') THEN CONTINUE; END IF;
         ${trap('made')}
       END LOOP;
     END $f$`,
    `CREATE EVENT TRIGGER hostile_adopt ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS') EXECUTE FUNCTION hostile.adopt()`,
  ];
}

async function assertHarmless(url: string, role: string, sentinel: string): Promise<void> {
  const whose = `(${pg.escapeLiteral(role)}, (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'hostile'))`;
  const [found] = await asFixture(url, [
    `SELECT ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname IN ${whose} AND rolsuper) AS powerful,
            ARRAY(SELECT DISTINCT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
                   WHERE r.rolname IN ${whose} AND g.rolname IN ('pg_execute_server_program', 'pg_write_server_files')) AS granted,
            (SELECT is_called FROM hostile.with_power) AS "withPower"`,
  ]);
  const powerful = found?.['powerful'] as string[];
  const got = [
    powerful.length > 0 && `${String(powerful)} is a superuser`,
    (found?.['granted'] as string[]).length > 0 && `${role} was granted ${String(found?.['granted'])}`,
    existsSync(sentinel) && 'a program ran on the host',
    found?.['withPower'] === true && 'code of the application ran in a session whose user may more than it',
  ].filter((each) => each !== false);
  if (got.length > 0) throw new Error(`the hostile database has won: ${got.join('; ')}`);
}

async function asFixture(url: string, statements: readonly string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'hostile fixture' });
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query<Record<string, unknown>>(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}
