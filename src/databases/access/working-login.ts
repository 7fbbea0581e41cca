/**
 * A login for the time of one step, with the rights of those who own the tables it touches and nothing else: whatever code of the
 * application runs as it has no more than it had before. Everything the administrator does here is role DDL and catalogue work.
 */
import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';
import { KeyturnError } from '../../domain/errors.js';
import { SecretValue } from '../../domain/secret-value.js';
import type { PasswordsWord } from '../../domain/specs/database.js';
import { DatabaseError, type ConnectionTarget } from '../connection.js';
import { ownersOf, standingOf, type OwnedTable, type Standing } from './nothing-to-give.js';
import { passwordClause, sentPassword } from './sent-password.js';
import { commentOf, dropLeftovers, dropWorkingLogin, COMMENT, PREFIX, type Purpose } from './working-login-end.js';

type Login = NonNullable<ConnectionTarget['login']>;

type Connect = <T>(work: (client: pg.Client) => Promise<T>) => Promise<T>;

/** In the database of the tables. */
export interface Ways {
  /** Directly, for role DDL. */
  readonly asAdministrator: Connect;
  /** As whoever the URL names, to read the catalogue: through a pooler too. */
  readonly asItself: Connect;
}

/**
 * `schema.table`, unquoted: those. `owned`: all of the database whose owners have nothing to give, with all that their owners may;
 * where there is none, as `others`: those of owners who may more, read and not written, by a login that is a member of nobody.
 */
export type Touched = readonly string[] | 'owned' | 'others';

/** For logging in, not for staying: a session lasts as long as it must. Short, since a worker may be killed. */
const VALID_MS = 15 * 60_000;
const RENEWED_AFTER_MS = VALID_MS / 3;
/** A sweep has two connections, and a lost attempt may hold two still. */
const CONNECTIONS = 8;
/** Grants by several steps at once: "tuple concurrently updated". */
const TRIES = 5;

const id = pg.escapeIdentifier;
const literal = pg.escapeLiteral;

interface Found {
  readonly tables: readonly OwnedTable[];
  readonly owners: readonly string[];
  readonly standing: Standing;
}

export class WorkingLogin {
  private readonly name: string;
  /** The end is for password checks that want one of each kind of character. */
  private readonly password = new SecretValue(`${randomBytes(24).toString('base64url')}-aA1`);
  private state: Promise<{ readonly login: Login | null; readonly since: number }> | null = null;
  private made = false;

  constructor(
    private readonly purpose: Purpose,
    private readonly touched: Touched,
    /** Tells two databases of one step apart. */
    place: string,
    private readonly passwords: PasswordsWord | undefined,
  ) {
    const key = JSON.stringify([purpose.run, purpose.part, place, touched]);
    this.name = `${PREFIX}${createHash('sha256').update(key).digest('hex').slice(0, 16)}`;
  }

  /**
   * @returns null: the administrator's URL is one of a login that has nothing to give, and is used as it is.
   * @throws KeyturnError `no-working-login`, with what to do; otherwise as the administrator's connection.
   */
  async get(ways: Ways): Promise<Login | null> {
    const known = await this.state;
    if (known && (known.login === null || performance.now() - known.since < RENEWED_AFTER_MS)) return known.login;
    const making = this.make(ways).then((login) => ({ login, since: performance.now() }));
    this.state = making;
    // What could not be made is tried again by the next call.
    making.catch(() => (this.state = null));
    return (await making).login;
  }

  /** Nothing is left of it; idempotent. What cannot be dropped now can no longer be used soon, and the next run drops it. */
  async close({ asAdministrator }: Pick<Ways, 'asAdministrator'>): Promise<void> {
    await this.state?.catch(() => undefined);
    if (this.made) await asAdministrator((client) => dropWorkingLogin(client, this.name));
    this.made = false;
  }

  private async make(ways: Ways): Promise<Login | null> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.ensure(ways);
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error;
        if (error.sqlState !== 'XX000' || attempt === TRIES) throw notMade(error);
      }
    }
  }

  private async ensure({ asAdministrator, asItself }: Ways): Promise<Login | null> {
    const found = await asItself((client) => this.find(client));
    return found.standing.more ? await asAdministrator((client) => this.create(client, found)) : null;
  }

  private async find(client: pg.Client): Promise<Found> {
    const tables = choose(await ownersOf(client, typeof this.touched === 'string' ? null : this.touched), this.touched);
    const owners = [...new Set(tables.filter(({ powerful }) => !powerful).map(({ owner }) => owner))];
    return { tables, owners, standing: await standingOf(client, owners) };
  }

  private async create(client: pg.Client, { tables, owners, standing }: Found): Promise<Login> {
    const { name } = this;
    const { rows } = await client.query<{ version: number; comment: string | null; there: boolean }>(
      `SELECT current_setting('server_version_num')::int AS version, r.oid IS NOT NULL AS there, shobj_description(r.oid, 'pg_authid') AS comment
         FROM (SELECT) one LEFT JOIN pg_roles r ON r.rolname = $1`,
      [name],
    );
    const [{ version, there, comment } = { version: 0, there: false, comment: null }] = rows;
    if (there && !(comment ?? '').startsWith(COMMENT)) {
      throw new KeyturnError('no-working-login', `the role ${name} is there and is not Keyturn's`, {
        hint: `DROP ROLE ${name}, if nobody needs it`,
      });
    }
    const until = `VALID UNTIL ${literal(new Date(Date.now() + VALID_MS).toISOString())}`;
    if (there && this.made) {
      await client.query(`ALTER ROLE ${id(name)} ${until}`);
      return { user: name, password: this.password };
    }
    // Of an attempt that was given up for lost, which may be connected still.
    if (there) await dropWorkingLogin(client, name);
    const { first, clause } = passwordClause(client, sentPassword(this.passwords, this.password, name));
    this.made = true;
    const statements = [
      ...first,
      'BEGIN',
      `SET LOCAL lock_timeout = '5s'`,
      `CREATE ROLE ${id(name)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT
         CONNECTION LIMIT ${CONNECTIONS} ${clause} ${until}`,
      `COMMENT ON ROLE ${id(name)} IS ${literal(commentOf(this.purpose))}`,
      // So that its sessions can be ended, and what is granted to it taken back, whoever the administrator is.
      ...(standing.superuser
        ? []
        : [`GRANT ${id(name)} TO CURRENT_USER${version < 160_000 ? '' : ' WITH INHERIT TRUE'}`]),
      ...rightsOf(name, owners, tables, this.touched, version),
      'COMMIT',
    ];
    await client.query(statements.join(';\n'));
    await dropLeftovers(client, this.purpose, name);
    return { user: name, password: this.password };
  }
}

function choose(tables: readonly OwnedTable[], touched: Touched): readonly OwnedTable[] {
  if (typeof touched !== 'string') return tables;
  const owned = tables.filter(({ powerful }) => !powerful);
  return touched === 'owned' && owned.length > 0 ? owned : tables.filter(({ powerful }) => powerful);
}

function rightsOf(
  name: string,
  owners: readonly string[],
  tables: readonly OwnedTable[],
  touched: Touched,
  version: number,
): string[] {
  const [only, ...others] = owners;
  const options = version < 160_000 ? '' : ' WITH INHERIT TRUE, SET TRUE';
  // What a superuser owns is opened table by table. Of those that nobody has named, none is written.
  const rights = typeof touched === 'string' ? 'SELECT' : 'SELECT, INSERT, UPDATE, DELETE';
  const opened = tables.filter(({ powerful }) => powerful);
  const schemas = [...new Set(opened.map(({ schema }) => schema))];
  return [
    ...owners.map((owner) => `GRANT ${id(owner)} TO ${id(name)}${options}`),
    // What it makes belongs to the owner, and nothing of it is left behind.
    ...(only !== undefined && others.length === 0 && opened.length === 0
      ? [`ALTER ROLE ${id(name)} SET role = ${literal(only)}`]
      : []),
    ...schemas.map((schema) => `GRANT USAGE ON SCHEMA ${id(schema)} TO ${id(name)}`),
    ...opened.map((table) => `GRANT ${rights} ON TABLE ${id(table.schema)}.${id(table.name)} TO ${id(name)}`),
  ];
}

function notMade(error: DatabaseError): KeyturnError {
  const [why, hint] =
    error.sqlState === '42501'
      ? [
          'it may not',
          'let the administrator be a superuser, or have CREATEROLE and ADMIN OPTION on the owner of the tables',
        ]
      : [
          'the server refused it',
          'see that the server takes SCRAM verifiers from the administrator, or write `passwords: plaintext` beside the url',
        ];
  return new KeyturnError(
    'no-working-login',
    `the administrator could not make a login without rights of its own for the application's tables, ${why}: ${error.message}`,
    {
      retryable: error.retryable,
      hint: `${hint}; or give under "databases" the URL of a login that has rights on these tables and no others`,
    },
  );
}
