/** A sign-in and its refresh tokens. Each works once; one that comes back was stolen or replayed, and ends its sign-in. */
import { randomUUID } from 'node:crypto';

/** @typedef {import('./tokens.js').Claims} Claims */
/** @typedef {import('./tokens.js').Tokens} Tokens */
/** @typedef {import('../../lib/users.js').User} User */
/** @typedef {ReturnType<typeof createSignIns>} SignIns */

/** @param {import('pg').Pool} pool @param {{ access: Tokens, refresh: Tokens }} tokens */
export function createSignIns(pool, { access, refresh }) {
  /** @param {import('pg').Pool | import('pg').PoolClient} client @param {string} user @param {string} signIn */
  async function issue(client, user, signIn) {
    const id = randomUUID();
    await client.query('INSERT INTO refresh_tokens (id, sign_in) VALUES ($1, $2)', [id, signIn]);
    return {
      accessToken: await access.sign(user, signIn),
      refreshToken: await refresh.sign(user, signIn, id),
      expiresIn: access.seconds,
    };
  }

  return {
    /** @param {string} user */
    async open(user) {
      // What has expired is of no more use to anybody, and goes with its tokens.
      await pool.query('DELETE FROM sign_ins WHERE user_id = $1 AND expires_at < now()', [user]);
      const { rows } = await pool.query(
        `INSERT INTO sign_ins (id, user_id, expires_at) VALUES ($1, $2, now() + $3 * interval '1 second') RETURNING id`,
        [randomUUID(), user, refresh.seconds],
      );
      return issue(pool, user, rows[0].id);
    },

    /** Whose it is; undefined once it has expired or was revoked. @param {Claims} claims @returns {Promise<User | undefined>} */
    async userOf({ user, signIn }) {
      const { rows } = await pool.query(
        `SELECT users.id, username, role FROM sign_ins JOIN users ON users.id = user_id
          WHERE sign_ins.id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > now()`,
        [signIn, user],
      );
      return rows[0];
    },

    /** Would it be accepted now? Does not use it. @param {Claims} claims @returns {Promise<boolean>} */
    async isFresh({ id, user, signIn }) {
      const { rows } = await pool.query(
        `SELECT FROM refresh_tokens JOIN sign_ins ON sign_ins.id = sign_in
          WHERE refresh_tokens.id = $1 AND sign_in = $2 AND user_id = $3 AND used_at IS NULL
            AND revoked_at IS NULL AND expires_at > now()`,
        [id, signIn, user],
      );
      return rows.length === 1;
    },

    /** @param {string} signIn */
    async revoke(signIn) {
      await pool.query(
        `UPDATE sign_ins SET revoked_at = now(), revoked_because = 'signed out' WHERE id = $1 AND revoked_at IS NULL`,
        [signIn],
      );
    },

    /**
     * @param {Claims} claims
     * @returns {Promise<{ outcome: 'refreshed', issued: Awaited<ReturnType<typeof issue>> } | { outcome: 'reused' | 'refused' }>}
     */
    async refresh({ id, user, signIn }) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        // The sign-in first, locked: of two requests with the same token exactly one finds it unused.
        const owners = await client.query(
          'SELECT revoked_at, expires_at > now() AS live FROM sign_ins WHERE id = $1 AND user_id = $2 FOR UPDATE',
          [signIn, user],
        );
        const found = await client.query('SELECT used_at FROM refresh_tokens WHERE id = $1 AND sign_in = $2', [
          id,
          signIn,
        ]);
        const [owner, token] = [owners.rows[0], found.rows[0]];
        if (!owner || !token) return await end({ outcome: 'refused' });
        if (token.used_at) {
          await client.query(
            `UPDATE sign_ins SET revoked_at = coalesce(revoked_at, now()),
               revoked_because = coalesce(revoked_because, 'refresh token reused') WHERE id = $1`,
            [signIn],
          );
          return await end({ outcome: 'reused' });
        }
        if (owner.revoked_at || !owner.live) return await end({ outcome: 'refused' });
        await client.query('UPDATE refresh_tokens SET used_at = now() WHERE id = $1', [id]);
        // Tokens too old to be presented need no memory.
        await client.query(
          `DELETE FROM refresh_tokens WHERE sign_in = $1 AND issued_at < now() - $2 * interval '1 second'`,
          [signIn, refresh.seconds],
        );
        // Whoever keeps coming back stays signed in.
        await client.query(`UPDATE sign_ins SET expires_at = now() + $2 * interval '1 second' WHERE id = $1`, [
          signIn,
          refresh.seconds,
        ]);
        return await end({ outcome: 'refreshed', issued: await issue(client, user, signIn) });
      } catch (error) {
        await client.query('ROLLBACK').catch(() => undefined);
        throw error;
      } finally {
        client.release();
      }

      /** @template T @param {T} result @returns {Promise<T>} */
      async function end(result) {
        await client.query('COMMIT');
        return result;
      }
    },
  };
}
