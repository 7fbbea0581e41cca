/** Everything up to the first write would go well on a connection that cannot write. */
import type pg from 'pg';
import { KeyturnError } from '../../domain/errors.js';
import { isPooled } from './pooler.js';

interface Standing {
  readonly readOnly: boolean;
  readonly replica: boolean;
  readonly pid: number;
}

const STANDING = `
SELECT current_setting('transaction_read_only') = 'on' AS "readOnly", pg_is_in_recovery() AS replica, pg_backend_pid() AS pid`;

/** That rows can be re-encrypted on such a connection. @throws KeyturnError `read-only`, `pooled`. */
export async function demandWritable(client: pg.Client): Promise<void> {
  const { rows } = await client.query<Standing>(STANDING);
  const [found] = rows;
  if (!found) return;
  if (isPooled(client, found.pid)) {
    throw new KeyturnError('pooled', 'the connection goes through a pooler', {
      hint: "give PostgreSQL's own host and port: settings and locks of a session would be met by whoever gets its connection next",
    });
  }
  if (!found.readOnly) return;
  throw new KeyturnError('read-only', `what is done there is read-only${found.replica ? ': it is a replica' : ''}`, {
    hint: found.replica
      ? 'let the URL lead to the primary'
      : 'see default_transaction_read_only of the role and the database',
  });
}
