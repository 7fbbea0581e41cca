/**
 * Without a search path a bare name of a function, operator, type or table is one of pg_catalog, whatever the application's role has
 * made in `public` or in a schema of its own. Set with the connection: a statement that sets it would be the first to be resolved
 * by the old one. The start-up option wins over what ALTER ROLE and ALTER DATABASE say.
 */
import type pg from 'pg';
import { KeyturnError } from '../domain/errors.js';

/** Start-up options, after those that the URL has: the last one counts. */
export function emptySearchPath(others: string | undefined): string {
  return [others, '-c search_path='].filter(Boolean).join(' ');
}

/** A pooler that drops start-up options gives a connection with whatever path it had. @throws KeyturnError `pooled`. */
export async function demandEmptySearchPath(client: pg.Client, label: string): Promise<void> {
  // SHOW is no function, so nothing can stand in for it.
  const { rows } = await client.query<{ search_path: string }>('SHOW search_path');
  if (!['', '""'].includes(rows[0]?.search_path ?? '?')) throw pooled(label);
}

export function pooled(label: string): KeyturnError {
  return new KeyturnError(
    'pooled',
    `the connection of the ${label} goes through a pooler: it does not keep the settings that a connection begins with`,
    {
      hint: "give PostgreSQL's own host and port: a pooler hides who is connected, keeps old sessions and may ignore NOLOGIN",
    },
  );
}
