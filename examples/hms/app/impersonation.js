/** An administrator looks at the application as somebody else. Start and stop are audited; a stopped one's token is dead. */
import { randomUUID } from 'node:crypto';

/**
 * @param {import('express').Express} app
 * @param {{ pool: import('pg').Pool, tokens: ReturnType<typeof import('./tokens.js').createTokens>,
 *   audit: import('./hms.js').Audit, signedIn: import('express').RequestHandler }} tools
 */
export function addImpersonation(app, { pool, tokens, audit, signedIn }) {
  app.post('/api/impersonation/start', signedIn, async (request, response) => {
    const { user: administrator, access } = response.locals;
    // Also refused from within an impersonation: otherwise the trail would name the wrong person.
    if (administrator.role !== 'admin' || access.impersonation) {
      await audit('impersonation.refused', administrator.username);
      return response.status(403).json({ error: 'administrators only' });
    }
    const { rows } = await pool.query('SELECT id, username, role FROM users WHERE username = $1', [
      String(request.body?.username ?? ''),
    ]);
    const subject = rows[0];
    if (!subject) return response.status(404).json({ error: 'no such user' });
    if (subject.role === 'admin') return response.status(403).json({ error: 'administrators cannot be impersonated' });
    const impersonation = randomUUID();
    await pool.query('INSERT INTO impersonations (id, administrator, subject) VALUES ($1, $2, $3)', [
      impersonation,
      administrator.id,
      subject.id,
    ]);
    await audit('impersonation.start', administrator.username, `as ${subject.username}`);
    const accessToken = await tokens.signAccess({
      user: subject.id,
      family: access.family,
      impersonation,
      administrator: administrator.id,
    });
    response.json({ accessToken, user: subject });
  });

  app.post('/api/impersonation/stop', signedIn, async (_request, response) => {
    const { access, user } = response.locals;
    if (!access.impersonation) return response.status(409).json({ error: 'nobody is being impersonated' });
    const { rows } = await pool.query(
      `UPDATE impersonations SET ended_at = now() FROM users
        WHERE impersonations.id = $1 AND users.id = administrator RETURNING users.id, username, role`,
      [access.impersonation],
    );
    await audit('impersonation.stop', rows[0].username, `as ${user.username}`);
    const accessToken = await tokens.signAccess({ user: rows[0].id, family: access.family });
    response.json({ accessToken, user: rows[0] });
  });
}
