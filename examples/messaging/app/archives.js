/** Messages of a month move into a table of that month, made when the first archive of it is: `messages_archive_202611`. */

import { tableExists } from '../../lib/database.js';

/** Any fixed number: two administrators at once take turns, also in making the table. */
const ARCHIVE_LOCK = 7_265_002;

/** @param {import('express').Express} app @param {import('pg').Pool} pool @param {import('express').RequestHandler} signedIn */
export function addArchives(app, pool, signedIn) {
  app.post('/api/archives/:month', signedIn, async (request, response) => {
    if (response.locals.user.role !== 'admin') return response.status(403).json({ error: 'administrators only' });
    const month = readMonth(request.params.month);
    if (!month) return response.status(400).json({ error: 'the month must be like 2026-11' });
    const { created, moved } = await archive(pool, month);
    response.status(created ? 201 : 200).json({ table: month.table, created, moved });
  });

  app.get('/api/archives/:month', signedIn, async (request, response) => {
    const month = readMonth(request.params.month);
    if (!month) return response.status(400).json({ error: 'the month must be like 2026-11' });
    if (!(await tableExists(pool, month.table))) return response.status(404).json({ error: 'nothing is archived' });
    const { rows } = await pool.query(
      `SELECT a.id, username AS "from", text, sent_at AS "sentAt" FROM ${month.table} a JOIN users ON users.id = sender
        WHERE recipient = $1 ORDER BY a.id DESC LIMIT 20`,
      [response.locals.user.id],
    );
    response.json({ messages: rows });
  });
}

/** @typedef {{ table: string, from: string, until: string }} Month */

/**
 * The table's name is made of digits only, so it needs no quotes.
 * @param {string | undefined} text @returns {Month | undefined}
 */
function readMonth(text) {
  const [, year, month] = /^(20\d\d)-(0[1-9]|1[0-2])$/.exec(text ?? '') ?? [];
  if (!year || !month) return undefined;
  return {
    table: `messages_archive_${year}${month}`,
    from: new Date(Date.UTC(Number(year), Number(month) - 1)).toISOString(),
    until: new Date(Date.UTC(Number(year), Number(month))).toISOString(),
  };
}

/** @param {import('pg').Pool} pool @param {Month} month */
async function archive(pool, { table, from, until }) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [ARCHIVE_LOCK]);
    const created = !(await tableExists(client, table));
    // Only if it is missing: it may belong to a role that this one is not.
    if (created) await client.query(`CREATE TABLE ${table} (LIKE messages INCLUDING DEFAULTS INCLUDING INDEXES)`);
    const { rowCount } = await client.query(
      `WITH moved AS (DELETE FROM messages WHERE sent_at >= $1 AND sent_at < $2 RETURNING *)
       INSERT INTO ${table} SELECT * FROM moved`,
      [from, until],
    );
    await client.query('COMMIT');
    return { created, moved: rowCount ?? 0 };
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}
