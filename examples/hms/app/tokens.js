/** Access and refresh tokens: HS256 under JWT_SECRET. Signature and times only; whether a family still lives, PostgreSQL says. */
import { createHash, randomUUID } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';

const ISSUER = 'hms';

/** @typedef {{ user: string, family: string, impersonation?: string, administrator?: string }} Access */

/** @param {string} secret @param {{ accessSeconds: number, refreshSeconds: number }} lifetimes */
export function createTokens(secret, { accessSeconds, refreshSeconds }) {
  const key = new TextEncoder().encode(secret);

  /** @param {import('jose').JWTPayload} claims @param {string} user @param {string} audience @param {number} seconds */
  const sign = (claims, user, audience, seconds) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(ISSUER)
      .setAudience(audience)
      .setSubject(user)
      .setIssuedAt()
      .setJti(randomUUID())
      .setExpirationTime(`${seconds}s`)
      .sign(key);

  /** @param {unknown} token @param {string} audience */
  const verify = async (token, audience) => {
    if (typeof token !== 'string') return undefined;
    try {
      // The algorithm is fixed here: a token must not choose how it is verified.
      return (await jwtVerify(token, key, { issuer: ISSUER, audience, algorithms: ['HS256'] })).payload;
    } catch {
      return undefined;
    }
  };

  return {
    accessSeconds,
    refreshSeconds,

    /** @param {Access} access */
    signAccess({ user, family, impersonation, administrator }) {
      const acting = impersonation ? { imp: impersonation, act: { sub: administrator } } : {};
      return sign({ fam: family, ...acting }, user, 'access', accessSeconds);
    },

    /** @param {string} user @param {string} family */
    signRefresh: (user, family) => sign({ fam: family }, user, 'refresh', refreshSeconds),

    /** @param {unknown} token @returns {Promise<Access | undefined>} */
    async readAccess(token) {
      const claims = await verify(token, 'access');
      if (!claims?.sub || typeof claims.fam !== 'string') return undefined;
      const access = { user: claims.sub, family: claims.fam };
      if (typeof claims.imp !== 'string') return access;
      return { ...access, impersonation: claims.imp, administrator: /** @type {any} */ (claims.act)?.sub };
    },

    /** @param {unknown} token @returns {Promise<{ user: string, family: string } | undefined>} */
    async readRefresh(token) {
      const claims = await verify(token, 'refresh');
      return claims?.sub && typeof claims.fam === 'string' ? { user: claims.sub, family: claims.fam } : undefined;
    },
  };
}

/** How a refresh token is stored: whoever reads the table cannot use it. @param {string} token */
export function hashToken(token) {
  return createHash('sha256').update(token).digest('hex');
}
