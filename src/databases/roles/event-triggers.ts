/**
 * Event triggers run at GRANT, ALTER and DROP OWNED, with the rights of whoever sends them. Role DDL fires none. Only a superuser can make
 * one; whose its function is, is another matter: who owns that can put anything into it.
 */
import { KeyturnError } from '../../domain/errors.js';
import type { Problem } from './obstacles.js';
import type { Session } from './session.js';

interface EventTrigger {
  readonly name: string;
  readonly routine: string;
  readonly owner: string;
  /** A superuser or the administrator itself: nobody who would gain anything. */
  readonly safe: boolean;
  /** Came with an extension. */
  readonly extension: boolean;
}

async function readEventTriggers(session: Session): Promise<EventTrigger[]> {
  const { rows } = await session.client.query<EventTrigger>(
    `SELECT e.evtname AS name, e.evtfoid::regprocedure::text AS routine, r.rolname AS owner,
            r.rolsuper OR r.rolname = session_user AS safe,
            EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e') AS extension
       FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid JOIN pg_roles r ON r.oid = p.proowner
      WHERE e.evtenabled <> 'D' ORDER BY 1`,
  );
  return rows;
}

/** Before anything of the application's is granted, altered or dropped in this database. @throws KeyturnError `event-trigger`. */
export async function refuseEventTriggers(session: Session): Promise<void> {
  const [first] = problemsOf(session, await readEventTriggers(session));
  if (first) throw new KeyturnError('event-trigger', first.message, { hint: first.hint });
}

export async function assessEventTriggers(session: Session): Promise<{ problems: Problem[]; warnings: string[] }> {
  const all = await readEventTriggers(session);
  return {
    problems: problemsOf(session, all),
    warnings: all
      .filter(({ safe, extension }) => safe && !extension)
      .map(
        ({ name, routine }) =>
          `database ${session.database}: the event trigger ${name} runs ${routine} with the administrator's rights: it must touch nothing that the application can change`,
      ),
  };
}

function problemsOf({ database, administrator }: Session, all: readonly EventTrigger[]): Problem[] {
  return all
    .filter(({ safe }) => !safe)
    .map(({ name, routine, owner }) => ({
      message: `database ${database}: the event trigger ${name} would run ${routine}, which is ${owner}'s, with the rights of ${administrator}`,
      hint: `ALTER FUNCTION ${routine} OWNER TO a superuser, after reading what is in it; or ALTER EVENT TRIGGER … DISABLE`,
    }));
}
