/** Proofs that a log-in works on every node before services use it, and that an old one is dead on every node after. */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { SecretValue } from '../../domain/secret-value.js';
import { oneLine } from '../../processes/safe-text.js';
import type { DatabaseError } from '../connection.js';
import { PRIMARY, type Login, type Server } from '../server.js';
import { askOnceReplayed, isRefusal, logPosition } from './replay.js';
import { writeAndRollBack } from './rolled-back-write.js';

export interface LoginExpectation {
  /** Who the session must be after the log-in: under strategy `group` the group. Default and null: the log-in's own role. */
  readonly expectRole?: string | null;
  /** One SQL statement that writes; null: permissions are tried on the tables that the role may write. */
  readonly probe: string | null;
}

/**
 * Logs in on every node. On the primary it writes, in a transaction that is always rolled back (what a sequence gave out is not
 * taken back); on a replica it reads. A replica that has not heard of the role is given 30 s. Changes nothing.
 * @throws KeyturnError `not-on-replica` (retryable), `database-refused`, `wrong-role`, `not-a-replica`, `probe-failed`; else as Server.
 */
export async function proveLogin(
  server: Server,
  login: Login,
  { expectRole = null, probe }: LoginExpectation,
): Promise<Evidence> {
  const position = await logPosition(server);
  const role = expectRole ?? login.user;
  const written = await server.as(login, async (client) => {
    assertIdentity(await identityOf(client), PRIMARY, login, role);
    return writeAndRollBack(client, probe);
  });
  const replicas = server.nodes.filter((node) => node !== PRIMARY);
  await Promise.all(replicas.map((node) => proveOnReplica(server, node, login, role, position)));
  const as = role === login.user ? '' : ` and works as ${role}`;
  const readers = replicas.length === 0 ? '' : `; reads on ${replicas.join(', ')}`;
  return {
    summary: oneLine(`${login.user} logs in on ${server.nodes.join(', ')}${as}; ${written.summary}${readers}`),
    facts: { user: login.user, role, nodes: server.nodes.length, ...written.facts },
  };
}

interface Identity {
  readonly session: string;
  readonly current: string;
  readonly recovering: boolean;
  readonly readOnly: boolean;
}

async function identityOf(client: pg.Client): Promise<Identity> {
  const { rows } = await client.query<Identity>(
    `SELECT session_user AS session, current_user AS current, pg_is_in_recovery() AS recovering,
            current_setting('transaction_read_only') = 'on' AS "readOnly"`,
  );
  const [row] = rows;
  if (!row) throw new KeyturnError('query-failed', 'the server did not say who is logged in');
  return row;
}

function assertIdentity({ session, current }: Identity, node: string, login: Login, role: string): void {
  if (session === login.user && current === role) return;
  const was = session === current ? session : `${session} as ${current}`;
  throw new KeyturnError(
    'wrong-role',
    oneLine(`on ${node} the session of ${login.user} runs as ${was}, not as ${role}`),
    {
      hint: 'a role setting that names a role which is gone only warns at log-in: check ALTER ROLE … SET role and the membership',
    },
  );
}

async function proveOnReplica(server: Server, node: string, login: Login, role: string, at: string): Promise<void> {
  const ask = (): Promise<Identity | DatabaseError> =>
    server.as(login, identityOf, { node }).catch((error: unknown) => {
      if (isRefusal(error)) return error;
      throw error;
    });
  const isGood = (answer: Identity | DatabaseError): boolean => 'session' in answer && answer.current === role;
  const { value, lag } = await askOnceReplayed(server, node, at, ask, isGood);
  if (lag !== null) {
    throw new KeyturnError('not-on-replica', `node ${node} does not know ${login.user} yet: it is ${lag}`, {
      retryable: true,
      hint: 'services that read from this node would be refused: let it catch up first (pg_stat_replication, pg_wal_replay_resume)',
    });
  }
  if (value instanceof Error) throw value;
  if (!value.recovering || !value.readOnly) {
    throw new KeyturnError('not-a-replica', `node ${node} is not a replica: it takes writes`, {
      hint: 'after a failover, change the nodes and the administrator URL of the inventory',
    });
  }
  assertIdentity(value, node, login, role);
}

/** SQLSTATEs that say no to the user or the password. Others (CONNECT missing, no such database) come after the password was right. */
const DEAD = ['28P01', '28000'];

/**
 * On every node the log-in is refused, and `control` (the new one) is let in at the same place: otherwise a pg_hba.conf line or a
 * wrong address would look like a dead credential. A replica that is behind is given 30 s. Changes nothing.
 * @param control null: the administrator's own connection shows at least that the node answers.
 * @throws KeyturnError `still-accepted` naming the nodes, `control-refused`; otherwise as Server.
 */
export async function proveRefused(server: Server, login: Login, control: Login | null): Promise<Evidence> {
  const position = await logPosition(server);
  const answers = await Promise.all(
    server.nodes.map(async (node) => {
      await letControlIn(server, node, control, position);
      const ask = (): Promise<string | null> => refusalOf(server, node, login);
      const { value, lag } = await askOnceReplayed(server, node, position, ask, (state) => state !== null);
      return { node, value, lag };
    }),
  );
  const accepting = answers.filter(({ value }) => value === null);
  if (accepting.length > 0) {
    const places = accepting.map(({ node, lag }) => (lag === null ? node : `${node} (${lag})`)).join(', ');
    throw new KeyturnError('still-accepted', oneLine(`${login.user} is still let in with this password on ${places}`), {
      retryable: accepting.every(({ lag }) => lag !== null),
      hint: 'somebody may have given the role its right to log in, or its password, again; look at pg_roles on these nodes',
    });
  }
  const beside = control === null ? 'no other credential was tried' : `${control.user} is let in there`;
  return {
    summary: oneLine(`${login.user} is refused on ${server.nodes.join(', ')}; ${beside}`),
    facts: {
      user: login.user,
      control: control?.user ?? null,
      nodes: server.nodes.length,
      ...Object.fromEntries(answers.map(({ node, value }) => [`refused.${node}`, value])),
    },
  };
}

async function letControlIn(server: Server, node: string, control: Login | null, position: string): Promise<void> {
  if (control === null) {
    await server.asAdministrator(identityOf, { node });
    return;
  }
  const ask = (): Promise<DatabaseError | null> =>
    server.as(control, identityOf, { node }).then(
      () => null,
      (error: unknown) => {
        if (isRefusal(error)) return error;
        throw error;
      },
    );
  const { value } = await askOnceReplayed(server, node, position, ask, (error) => error === null);
  if (value === null) return;
  throw new KeyturnError(
    'control-refused',
    `${value.message}; so a refusal of the old credential would prove nothing`,
    {
      hint: `find out why ${control.user} is not let in on ${node}`,
    },
  );
}

/** @returns the SQLSTATE; null: let in, or refused only after the password was found right. */
async function refusalOf(server: Server, node: string, login: Login): Promise<string | null> {
  try {
    await server.as(login, identityOf, { node });
    return null;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return DEAD.includes(error.sqlState) ? error.sqlState : null;
  }
}

/**
 * Before anything is changed: a random password must be refused on every node, for being wrong (28P01). Under `trust`, LDAP and the
 * like the password in PostgreSQL decides nothing, and no proof is possible. Changes nothing.
 * @throws KeyturnError `passwords-not-checked` naming the nodes; otherwise as Server.
 */
export async function wrongPasswordIsRefused(server: Server, user: string): Promise<Evidence> {
  const login = { user, password: new SecretValue(randomBytes(24).toString('base64url')) };
  const answers = await Promise.all(
    server.nodes.map(async (node) => [node, await refusalOf(server, node, login)] as const),
  );
  const open = answers.filter(([, state]) => state !== '28P01');
  if (open.length > 0) {
    const places = open.map(([node, state]) => `${node} (${state === null ? 'lets it in' : state})`).join(', ');
    throw new KeyturnError(
      'passwords-not-checked',
      oneLine(`a wrong password of ${user} is not refused as a wrong password on ${places}`),
      { hint: 'let pg_hba.conf say scram-sha-256 for this user, database and address; "trust" lets everybody in' },
    );
  }
  return {
    summary: oneLine(`a wrong password of ${user} is refused on ${server.nodes.join(', ')}`),
    facts: { user, nodes: server.nodes.length },
  };
}
