/**
 * Access tokens under JWT_ACCESS_SECRET and refresh tokens under JWT_REFRESH_SECRET, HS256. Signature and times only; whether a
 * sign-in still lives, PostgreSQL says.
 */
import { randomUUID } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';

const ISSUER = 'messaging';

/** @typedef {{ id: string, user: string, signIn: string }} Claims */
/** @typedef {ReturnType<typeof createTokens>} Tokens */

/**
 * One kind of token. Signs with the current secret, accepts the previous one too.
 * @param {'access' | 'refresh'} audience @param {import('./secrets.js').SecretPair} secret @param {number} seconds
 */
export function createTokens(audience, secret, seconds) {
  const key = (/** @type {string} */ text) => new TextEncoder().encode(text);
  const signingKey = key(secret.current);
  const acceptedKeys = secret.accepted.map(key);

  return {
    seconds,

    /** @param {string} user @param {string} signIn @param {string} [id] */
    sign: (user, signIn, id = randomUUID()) =>
      new SignJWT({ sin: signIn })
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer(ISSUER)
        .setAudience(audience)
        .setSubject(user)
        .setIssuedAt()
        .setJti(id)
        .setExpirationTime(`${seconds}s`)
        .sign(signingKey),

    /** @param {unknown} token @returns {Promise<Claims | undefined>} */
    async read(token) {
      if (typeof token !== 'string') return undefined;
      for (const accepted of acceptedKeys) {
        try {
          // The algorithm is fixed here: a token must not choose how it is verified.
          const options = { issuer: ISSUER, audience, algorithms: ['HS256'] };
          const { sub, jti, sin } = (await jwtVerify(token, accepted, options)).payload;
          return sub && jti && typeof sin === 'string' ? { id: jti, user: sub, signIn: sin } : undefined;
        } catch {
          // Not under this secret, or no longer valid: the next one may know it.
        }
      }
      return undefined;
    },
  };
}

/** @param {import('express').Request} request @returns {string | undefined} */
export function bearer(request) {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  return scheme?.toLowerCase() === 'bearer' && token ? token : undefined;
}
