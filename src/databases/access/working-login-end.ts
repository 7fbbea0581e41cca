/** The end of a working login: its sessions, what was granted to it, the role; and those that a killed worker has left. */
import pg from 'pg';
import { oneLine } from '../../processes/safe-text.js';

/** Whose login it is. Two of the same name are never at work at once: a second attempt takes over from one that was lost. */
export interface Purpose {
  /** `rotate:arena/production/ENCRYPTION_KEY`: of two executions of it, one is over. */
  readonly run: string;
  readonly execution: string;
  /** Which of the run's steps. */
  readonly part: string;
  /** Not the first attempt at it: one before may have been killed with its login made. */
  readonly again?: boolean;
}

export const PREFIX = 'keyturn_work_';
/** Before the run's name. */
export const COMMENT = "Keyturn's login for a step of ";

const id = pg.escapeIdentifier;
const WAIT_MS = 5_000;
/** Other steps take back rights on the same tables: "tuple concurrently updated", a lock, a deadlock. */
const BUSY = ['XX000', '55P03', '40P01'];
const TRIES = 10;

async function endSessions(client: pg.Client, role: string): Promise<void> {
  await client.query(
    `SELECT pg_terminate_backend(pid, ${WAIT_MS}) FROM pg_stat_activity
      WHERE usesysid = (SELECT oid FROM pg_roles WHERE rolname = $1) AND pid <> pg_backend_pid()`,
    [role],
  );
}

/** Idempotent. @throws what the server says, after which it is as it was, and nobody is on it. */
export async function dropWorkingLogin(client: pg.Client, role: string): Promise<void> {
  const { rows } = await client.query<{ heir: string | null; owns: boolean }>(
    `SELECT (SELECT min(o.rolname) FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.roleid WHERE m.member = r.oid) AS heir,
            EXISTS (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid AND deptype = 'o') AS owns
       FROM pg_roles r WHERE r.rolname = $1`,
    [role],
  );
  const [found] = rows;
  if (!found) return;
  await endSessions(client, role);
  // What a trigger made while it worked belongs to the application.
  const heir = found.heir === null ? 'CURRENT_USER' : id(found.heir);
  const kept = found.owns ? [`REASSIGN OWNED BY ${id(role)} TO ${heir}`] : [];
  const statements = [
    'BEGIN',
    `SET LOCAL lock_timeout = '5s'`,
    ...kept,
    `DROP OWNED BY ${id(role)}`,
    `DROP ROLE ${id(role)}`,
  ];
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.query([...statements, 'COMMIT'].join(';\n'));
      return;
    } catch (error) {
      await client.query('ROLLBACK');
      if (attempt === TRIES || !BUSY.includes(String((error as { code?: unknown }).code))) throw error;
    }
  }
}

/** Of an execution of this run that is over; and of any other run whose time is up and which nobody is on. */
const LEFTOVERS = `
SELECT r.rolname AS name FROM pg_roles r CROSS JOIN LATERAL shobj_description(r.oid, 'pg_authid') AS said
 WHERE starts_with(r.rolname, '${PREFIX}') AND r.rolname <> $3
   AND (starts_with(said, $1) AND NOT starts_with(said, $2)
        OR r.rolvaliduntil < now() AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.usesysid = r.oid))
 ORDER BY 1 LIMIT 100`;

/** How the server is told whose login it is. */
export function commentOf({ run, execution, part }: Purpose): string {
  return `${COMMENT}${oneLine(run, 200)} (${oneLine(execution, 100)}, part ${oneLine(part, 100)})`;
}

/**
 * Of attempts at this very step that were killed: the one that follows makes a login of the same name, unless it finds that nothing is
 * left to do with one.
 */
export async function findOfLostAttempts(client: pg.Client, purpose: Purpose): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT rolname AS name FROM pg_roles
      WHERE starts_with(rolname::text, '${PREFIX}') AND shobj_description(oid, 'pg_authid') = $1 ORDER BY 1`,
    [commentOf(purpose)],
  );
  return rows.map(({ name }) => name);
}

/** Best effort: one that cannot be dropped (it has objects in another database) can no longer log in. */
export async function dropLeftovers(client: pg.Client, { run, execution }: Purpose, own: string): Promise<void> {
  const mine = `${COMMENT}${oneLine(run, 200)} (`;
  const { rows } = await client.query<{ name: string }>(LEFTOVERS, [mine, `${mine}${oneLine(execution, 100)},`, own]);
  for (const { name } of rows) await dropWorkingLogin(client, name).catch(() => undefined);
}
