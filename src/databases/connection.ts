/**
 * A short-lived PostgreSQL connection. No message of the driver or the server passes this file unjudged: a malformed URL is
 * otherwise printed whole (brianc/node-postgres#3145), and a data error repeats the data.
 */
import { Socket } from 'node:net';
import type pg from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import { KeyturnError, type Effect, type KeyturnErrorOptions } from '../domain/errors.js';
import { SecretValue } from '../domain/secret-value.js';
import type { PlannedNode } from '../domain/plan.js';
import type { TlsWord } from '../domain/specs/database.js';
import { oneLine } from '../processes/safe-text.js';
import { CANNOT_CONNECT_NOW, Patience } from './starting-up.js';
import { GuardedClient, tlsOf } from './encrypted.js';
import { demandEmptySearchPath, emptySearchPath, pooled } from './empty-search-path.js';

export interface ConnectionTarget {
  /** Gives what the fields below leave open: host, port, database, user, password, TLS. */
  readonly url: SecretValue;
  /** For messages: `variable APP_ADMIN_URL`. */
  readonly label: string;
  /** null: the URL's own. */
  readonly node: PlannedNode | null;
  readonly database: string | null;
  readonly login: { readonly user: string; readonly password: SecretValue } | null;
  /** What the inventory gives up on the way to another host. */
  readonly tls?: TlsWord | undefined;
  /** Nothing but the server's own catalogue is found by a bare name. Default: as the role and the database have it. */
  readonly searchPath?: 'empty';
}

/** What the server or the way to it answered. */
export class DatabaseError extends KeyturnError {
  /** @param sqlState five characters, or an errno such as `ECONNREFUSED`; empty: the connection broke. */
  constructor(
    code: string,
    message: string,
    readonly sqlState: string,
    options: KeyturnErrorOptions,
  ) {
    super(code, message, options);
  }
}

export interface ConnectionOptions {
  /** Milliseconds for everything: connecting, the statements, hanging up. */
  readonly limit: number;
  readonly signal: AbortSignal;
  /** What a failure inside `work` has done to the world by then; default: nothing. */
  readonly effect?: () => Effect;
}

/**
 * Connects (to a server that is starting up again and again), works, hangs up. A statement that still runs when the time is up or `signal` aborts loses its connection.
 * @throws KeyturnError `malformed-database-url`, `database-unreachable` (retryable), `database-refused` (wrong password, no such
 * database), `pooled`, `query-failed`, `database-timeout` (retryable); when `signal` aborts, its reason.
 */
export async function withConnection<T>(
  target: ConnectionTarget,
  options: ConnectionOptions,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const { label } = target;
  options.signal.throwIfAborted();
  let socket = new Socket();
  let client = openClient(target, socket);
  const deadline = AbortSignal.timeout(options.limit);
  const stop = AbortSignal.any([options.signal, deadline]);
  // Destroying the socket fails whatever waits on it, the connection attempt included; `end()` alone can wait for ever.
  const hangUp = (): void => void socket.destroy();
  stop.addEventListener('abort', hangUp, { once: true });
  let connected = false;
  try {
    if (stop.aborted) hangUp();
    for (const patience = new Patience(); ;) {
      try {
        await client.connect();
        break;
      } catch (error) {
        if (!(await patience.isWorthwhile(codeOf(error), stop))) throw error;
        socket = new Socket();
        client = openClient(target, socket);
      }
    }
    connected = true;
    if (target.searchPath === 'empty') await demandEmptySearchPath(client, label);
    const result = await work(client);
    await client.end();
    return result;
  } catch (error) {
    socket.destroy();
    options.signal.throwIfAborted();
    if (error instanceof KeyturnError) throw error;
    const effect = connected ? (options.effect?.() ?? 'none') : 'none';
    if (deadline.aborted && (connected || codeOf(error) !== CANNOT_CONNECT_NOW)) {
      throw new KeyturnError(
        'database-timeout',
        `the database of the ${label} did not answer within ${options.limit} ms`,
        {
          effect,
          retryable: true,
        },
      );
    }
    if (connected) throw statementError(error, effect);
    if (target.searchPath === 'empty' && codeOf(error) === PROTOCOL_VIOLATION) throw pooled(label);
    throw connectionError(error, label);
  } finally {
    stop.removeEventListener('abort', hangUp);
  }
}

/** Runs one statement. Extended protocol: the server refuses a text that holds several. */
export function queryOne(client: pg.Client, text: string): Promise<pg.QueryResult<Record<string, unknown>>> {
  const query = { text, queryMode: 'extended' };
  return client.query(query);
}

/** The first column of the first row; `undefined` when there is no row. Whole numbers of any width come as numbers. */
export function firstValue(result: pg.QueryResult<Record<string, unknown>>): unknown {
  const [field] = result.fields;
  const [row] = result.rows;
  if (!field || !row) return undefined;
  const value = row[field.name];
  // int8 and numeric arrive as text, because a double cannot hold all of them.
  if (typeof value === 'string' && (field.dataTypeID === 20 || field.dataTypeID === 1700)) {
    return Number.isSafeInteger(Number(value)) || value.includes('.') ? Number(value) : value;
  }
  if (value instanceof Date) return value.toISOString();
  return value;
}

function openClient(
  { url, label, node, database, login, searchPath, tls }: ConnectionTarget,
  socket: Socket,
): pg.Client {
  const malformed = (): KeyturnError =>
    new KeyturnError('malformed-database-url', `the ${label} does not hold a PostgreSQL URL`, {
      hint: 'write postgres://USER:PASSWORD@HOST:PORT/DATABASE; in the password, percent-encode / # ? @ : and %',
    });
  const text = url.reveal();
  if (!/^postgres(?:ql)?:\/\/\S+$/.test(text)) throw malformed();
  let client: pg.Client;
  try {
    const config = parseIntoClientConfig(text);
    const host = node?.host ?? config.host ?? process.env['PGHOST'] ?? 'localhost';
    client = new GuardedClient({
      ...config,
      ssl: tlsOf(config.ssl, { host, label, word: tls }),
      ...(database === null ? {} : { database }),
      ...(node ? { host: node.host, port: node.port } : {}),
      ...(login ? { user: login.user, password: login.password.reveal() } : {}),
      ...(searchPath === 'empty' ? { options: emptySearchPath(config.options) } : {}),
      application_name: 'keyturn',
      stream: () => socket,
    });
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw malformed();
  }
  // Known from here on, so that `redact` finds the password also where it stands alone.
  if (typeof client.password === 'string' && client.password !== '') new SecretValue(client.password);
  // A connection that breaks while idle is reported here and again by the next statement.
  client.on('error', () => undefined);
  return client;
}

/** What PgBouncer says of a start-up option that it does not pass on. */
const PROTOCOL_VIOLATION = '08P01';

const CONNECTION: Readonly<Record<string, readonly [code: string, why: string]>> = {
  ECONNREFUSED: ['database-unreachable', 'connection refused'],
  ECONNRESET: ['database-unreachable', 'connection closed'],
  ENOTFOUND: ['database-unreachable', 'host name not found'],
  EAI_AGAIN: ['database-unreachable', 'host name not found for now'],
  ETIMEDOUT: ['database-unreachable', 'connecting took too long'],
  ENOENT: ['database-unreachable', 'no such socket'],
  '57P03': ['database-unreachable', 'the server is starting up or shutting down'],
  '53300': ['database-unreachable', 'the server has no connection left'],
  '28P01': ['database-refused', 'the server does not accept this user and password'],
  '28000': ['database-refused', 'the server does not let this user in'],
  '3D000': ['database-refused', 'there is no such database'],
};

/** In fixed words only: with a URL that was split in the wrong place, a "host" or "database" may be half a password. */
function connectionError(error: unknown, label: string): KeyturnError {
  const state = codeOf(error);
  const [code, why] = CONNECTION[state] ?? [
    'database-unreachable',
    state ? `no connection (${state})` : 'no connection',
  ];
  return new DatabaseError(code, `the database of the ${label} cannot be reached: ${why}`, state, {
    retryable: code === 'database-unreachable',
  });
}

/**
 * SQLSTATE classes whose messages speak of the statement and the server, not of the data: 25 transaction state, 42 syntax and
 * access, 53 resources, 55 object state, 57 operator, 40 rollback.
 */
const SPEAKABLE = /^(?:25|40|42|53|55|57)/;

/** Two ALTER ROLE of one role at once, a retry and its lost first attempt for example; it has no SQLSTATE of its own (XX000). */
const CONCURRENT_DDL = 'tuple concurrently updated';

function statementError(error: unknown, effect: Effect): KeyturnError {
  const state = codeOf(error);
  const text =
    error instanceof Error && SPEAKABLE.test(state) ? `: ${oneLine(error.message, 160)}` : constraintOf(error);
  // Class 08 and no SQLSTATE at all: the connection broke; 40, 53, 57 and a lock not had in time: it may well say yes the next time.
  const retryable =
    state.length !== 5 || /^(?:08|40|53|57|55P03)/.test(state) || (error as Error).message === CONCURRENT_DDL;
  return new DatabaseError('query-failed', `the statement failed (${state || 'connection lost'})${text}`, state, {
    effect,
    retryable,
  });
}

/** Of a row that a constraint refuses, the message and the detail show values; the catalogue's names do not. */
function constraintOf(error: unknown): string {
  const { schema, table, constraint } = error as pg.DatabaseError;
  if (constraint === undefined) return '';
  return oneLine(`: constraint ${constraint}${table === undefined ? '' : ` of ${schema ?? ''}.${table}`}`, 160);
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : '';
}
