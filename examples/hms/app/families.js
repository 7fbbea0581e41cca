/** Refresh tokens rotate: each works once. One that comes back a second time was stolen or replayed, and ends its family. */
import { randomUUID } from 'node:crypto';
import { hashToken } from './tokens.js';

/** @param {import('pg').Pool} pool @param {ReturnType<typeof import('./tokens.js').createTokens>} tokens */
export function createFamilies(pool, tokens) {
  /** @param {import('pg').Pool | import('pg').PoolClient} client @param {string} user @param {string} family */
  async function issue(client, user, family) {
    const refreshToken = await tokens.signRefresh(user, family);
    await client.query('INSERT INTO refresh_tokens (hash, family) VALUES ($1, $2)', [hashToken(refreshToken), family]);
    return { accessToken: await tokens.signAccess({ user, family }), refreshToken, expiresIn: tokens.accessSeconds };
  }

  return {
    /** @param {string} user */
    async open(user) {
      const family = randomUUID();
      await pool.query(
        `INSERT INTO token_families (id, user_id, expires_at) VALUES ($1, $2, now() + $3 * interval '1 second')`,
        [family, user, tokens.refreshSeconds],
      );
      return issue(pool, user, family);
    },

    /** @param {string} family @returns {Promise<boolean>} */
    async lives(family) {
      const { rows } = await pool.query(
        'SELECT 1 FROM token_families WHERE id = $1 AND revoked_at IS NULL AND expires_at > now()',
        [family],
      );
      return rows.length === 1;
    },

    /** @param {string} family */
    async revoke(family) {
      await pool.query(
        `UPDATE token_families SET revoked_at = now(), revoked_because = 'signed out' WHERE id = $1 AND revoked_at IS NULL`,
        [family],
      );
    },

    /**
     * @param {string} token @param {{ user: string, family: string }} claims
     * @returns {Promise<{ outcome: 'refreshed', issued: Awaited<ReturnType<typeof issue>> } | { outcome: 'reused' | 'refused' }>}
     */
    async refresh(token, claims) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        // The family first, locked: of two requests with the same token exactly one finds it unused.
        const family = await client.query(
          'SELECT revoked_at, expires_at > now() AS live FROM token_families WHERE id = $1 AND user_id = $2 FOR UPDATE',
          [claims.family, claims.user],
        );
        const found = await client.query('SELECT used_at FROM refresh_tokens WHERE hash = $1 AND family = $2', [
          hashToken(token),
          claims.family,
        ]);
        const [owner, known] = [family.rows[0], found.rows[0]];
        if (!owner || !known) return await end({ outcome: 'refused' });
        if (known.used_at) {
          await client.query(
            `UPDATE token_families SET revoked_at = coalesce(revoked_at, now()),
               revoked_because = coalesce(revoked_because, 'refresh token reused') WHERE id = $1`,
            [claims.family],
          );
          return await end({ outcome: 'reused' });
        }
        if (owner.revoked_at || !owner.live) return await end({ outcome: 'refused' });
        await client.query('UPDATE refresh_tokens SET used_at = now() WHERE hash = $1', [hashToken(token)]);
        return await end({ outcome: 'refreshed', issued: await issue(client, claims.user, claims.family) });
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
