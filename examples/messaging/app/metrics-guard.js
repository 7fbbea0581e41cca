/** GET /api/metrics is for scrapers that know METRICS_AUTH_TOKEN. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { bearer } from './tokens.js';

/** @param {import('./secrets.js').SecretPair} token @returns {import('express').RequestHandler} */
export function guardMetrics({ accepted }) {
  const digests = accepted.map(digest);
  return (request, response, next) => {
    // Digests have one length, so that the comparison tells nothing about the token's.
    const presented = digest(bearer(request) ?? '');
    const known = digests.filter((one) => timingSafeEqual(one, presented)).length > 0;
    if (known) return next();
    response.setHeader('WWW-Authenticate', 'Bearer');
    response.status(401).json({ error: 'for scrapers with a token' });
  };
}

/** @param {string} text */
function digest(text) {
  return createHash('sha256').update(text).digest();
}
