/** Whether a connection leads to the server itself. */
import type pg from 'pg';

/**
 * At log-in the server names its process, so that a query can be cancelled. A pooler names one of its own instead: it has to,
 * because it gives the connection another server process with each transaction.
 * @param pid pg_backend_pid() as this connection is answered.
 */
export function isPooled(client: pg.Client, pid: number): boolean {
  return (client as unknown as { readonly processID: number | null }).processID !== pid;
}
