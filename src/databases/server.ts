/**
 * A PostgreSQL server as Keyturn works on it: direct, short-lived connections to the primary and its replicas, as the
 * administrator or as the role under test. Every error leaves through connection.ts, so no message repeats a password.
 */
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { KeyturnError } from '../domain/errors.js';
import type { PlannedNode } from '../domain/plan.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { PasswordsWord, TlsWord } from '../domain/specs/database.js';
import { dropWorkingLogin, findOfLostAttempts, type Purpose } from './access/working-login-end.js';
import { WorkingLogin, type Touched, type Ways } from './access/working-login.js';
import { DatabaseError, withConnection, type ConnectionOptions, type ConnectionTarget } from './connection.js';

export interface Login {
  readonly user: string;
  readonly password: SecretValue;
}

export interface ServerOptions {
  /** The administrator's URL, which leads to the primary. */
  readonly administrator: SecretValue;
  readonly tls?: TlsWord | undefined;
  readonly passwords?: PasswordsWord | undefined;
  /** For messages: `variable MESSAGING_ADMIN_URL`. */
  readonly label: string;
  /** The application's database; null: the one in the URL. */
  readonly database: string | null;
  readonly replicas: readonly PlannedNode[];
  readonly signal: AbortSignal;
  /** Asked on every connection that touches tables, before anything else is done on it. */
  readonly admit?: (client: pg.Client) => Promise<void>;
  /** For whom logins are made that may touch tables. */
  readonly purpose?: Purpose;
  /** Which tables, `schema.table`; default: what the application owns. */
  readonly touched?: Touched;
}

export interface Where
  extends Partial<Pick<ConnectionOptions, 'effect' | 'limit' | 'signal'>>, Pick<ConnectionTarget, 'searchPath'> {
  /** Default: the application's. */
  readonly database?: string;
  /** `primary` or a replica's name; default: the primary. */
  readonly node?: string;
}

export const PRIMARY = 'primary';
const NO_RIGHT = '42501';
/** Milliseconds for everything on one connection: taking over what a large schema's role owns may wait for locks. */
const LIMIT_MS = 60_000;

/** For giving a login back: done also when the run was cancelled. */
const CLOSING_MS = 15_000;

export type Work<T> = (client: pg.Client) => Promise<T>;

export interface WorkPlace extends Pick<Where, 'effect' | 'limit' | 'signal'> {
  readonly touched?: Touched;
}

export class Server {
  readonly nodes: readonly string[];
  private readonly logins = new Map<string, WorkingLogin>();
  private readonly own: Purpose = { run: randomUUID(), execution: 'one', part: 'all' };

  constructor(private readonly options: ServerOptions) {
    this.nodes = [PRIMARY, ...options.replicas.map(({ name }) => name)];
  }

  /** Aborts when the run is cancelled or the worker stops: for whatever waits between two connections. */
  get signal(): AbortSignal {
    return this.options.signal;
  }

  /** How roles are given theirs; undefined: as SCRAM verifiers. */
  get passwords(): PasswordsWord | undefined {
    return this.options.passwords;
  }

  /**
   * For the catalogue and for roles, never for what the application may have hung its code on. With an empty search path from the
   * connect on: see empty-search-path.ts. @throws KeyturnError as withConnection.
   */
  asAdministrator<T>(work: Work<T>, where: Omit<Where, 'searchPath'> = {}): Promise<T> {
    return this.connect(null, { ...where, searchPath: 'empty' }, work);
  }

  /**
   * For the application's tables, and SQL of the inventory: on the primary, with the rights of those who own the tables and nothing
   * else. @throws KeyturnError `no-working-login`, and as withConnection.
   */
  async asWorker<T>(
    work: Work<T>,
    { touched = this.options.touched ?? 'owned', ...where }: WorkPlace = {},
  ): Promise<T> {
    const { admit } = this.options;
    const login = await this.workingLogin(touched).get(this.ways(where));
    try {
      return await this.connect(login, where, async (client) => {
        await admit?.(client);
        return work(client);
      });
    } catch (error) {
      throw login === null ? error : triedAgain(error);
    }
  }

  /**
   * Reads the catalogue as whoever the URL names, also through a pooler, which drops start-up options. Neither BEGIN nor SET is
   * resolved by the search path.
   */
  private asItself<T>(work: Work<T>, where: Where): Promise<T> {
    return this.connect(null, where, async (client) => {
      await client.query('BEGIN READ ONLY');
      await client.query("SET LOCAL search_path = ''");
      const result = await work(client);
      await client.query('ROLLBACK');
      return result;
    });
  }

  /** Drops the logins that were made for it, by lost attempts at the same step too. Idempotent. */
  async close(): Promise<void> {
    // The run's own signal may have gone by now.
    const where = { limit: CLOSING_MS, signal: AbortSignal.timeout(CLOSING_MS) };
    for (const login of this.logins.values()) await login.close(this.ways(where));
    const { purpose } = this.options;
    if (purpose?.again !== true) return;
    const { asAdministrator, asItself } = this.ways(where);
    const lost = await asItself((client) => findOfLostAttempts(client, purpose));
    for (const name of lost) await asAdministrator((client) => dropWorkingLogin(client, name));
  }

  private ways({ limit, signal }: Where): Ways {
    const where = {
      limit: Math.min(limit ?? LIMIT_MS, LIMIT_MS),
      ...(signal ? { signal } : {}),
    };
    return {
      asAdministrator: (work) => this.asAdministrator(work, where),
      asItself: (work) => this.asItself(work, where),
    };
  }

  private workingLogin(touched: Touched): WorkingLogin {
    const key = JSON.stringify(touched);
    const { label, database, purpose, passwords } = this.options;
    const place = `${label} ${database ?? ''}`;
    const login = this.logins.get(key) ?? new WorkingLogin(purpose ?? this.own, touched, place, passwords);
    this.logins.set(key, login);
    return login;
  }

  /** @throws KeyturnError as withConnection; a refused log-in is `database-refused`. */
  as<T>(login: Login, work: Work<T>, where: Where = {}): Promise<T> {
    return this.connect(login, where, work);
  }

  /** Every database of the cluster that can be connected to, the application's first. */
  async databases(): Promise<string[]> {
    return this.asAdministrator(async (client) => {
      const { rows } = await client.query<{ name: string }>(
        'SELECT datname AS name FROM pg_database WHERE datallowconn ORDER BY datname <> current_database(), datname',
      );
      return rows.map(({ name }) => name);
    });
  }

  private connect<T>(login: Login | null, where: Where, work: Work<T>): Promise<T> {
    const { administrator, label, database, replicas, signal, tls } = this.options;
    const node = replicas.find(({ name }) => name === where.node) ?? null;
    const name = where.database ?? database;
    return withConnection(
      {
        ...{
          url: administrator,
          label: node ? `${label} on node ${node.name}` : label,
          login,
          node,
          database: name,
          tls,
        },
        ...(where.searchPath ? { searchPath: where.searchPath } : {}),
      },
      {
        limit: where.limit ?? LIMIT_MS,
        signal: where.signal ?? signal,
        ...(where.effect ? { effect: where.effect } : {}),
      },
      work,
    );
  }
}

/**
 * A right that a step's login lacks: it has those of the tables' owner as that was when it was made, and a swap by another run may have
 * handed them on since. The next attempt has those of the owner then.
 */
function triedAgain(error: unknown): unknown {
  if (!(error instanceof KeyturnError)) return error;
  const { code, message, effect, hint, diagnosis } = error;
  const options = {
    ...{ effect, retryable: true, cause: error },
    ...(hint === undefined ? {} : { hint }),
    ...(diagnosis === undefined ? {} : { diagnosis }),
  };
  if (error instanceof DatabaseError && error.sqlState === NO_RIGHT)
    return new DatabaseError(code, message, NO_RIGHT, options);
  return code === 'insufficient-privilege' ? new KeyturnError(code, message, options) : error;
}
