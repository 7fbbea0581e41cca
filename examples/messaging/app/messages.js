/** What people write to each other. */

/** @param {import('express').Express} app @param {import('pg').Pool} pool @param {import('express').RequestHandler} signedIn */
export function addMessages(app, pool, signedIn) {
  app.get('/api/messages', signedIn, async (_request, response) => {
    const { rows } = await pool.query(
      `SELECT messages.id, username AS "from", text, sent_at AS "sentAt" FROM messages JOIN users ON users.id = sender
        WHERE recipient = $1 ORDER BY messages.id DESC LIMIT 20`,
      [response.locals.user.id],
    );
    response.json({ messages: rows });
  });

  app.post('/api/messages', signedIn, async (request, response) => {
    const { to, text } = request.body ?? {};
    if (typeof text !== 'string' || text.length === 0 || text.length > 2_000) {
      return response.status(400).json({ error: 'text must have 1 to 2000 characters' });
    }
    const { rows } = await pool.query(
      `INSERT INTO messages (sender, recipient, text) SELECT $1, id, $3 FROM users WHERE username = $2
       RETURNING id, sent_at AS "sentAt"`,
      [response.locals.user.id, String(to ?? ''), text],
    );
    if (!rows[0]) return response.status(404).json({ error: 'no such recipient' });
    response.status(201).json(rows[0]);
  });
}
