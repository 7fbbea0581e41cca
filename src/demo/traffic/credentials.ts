/** Cookie jars and token pairs. */
import { CookieJar } from 'tough-cookie';
import type { Reply } from './connection.js';
import type { Credentials } from './person.js';

/** Keeps cookies as a browser does: by name and path, until they expire. */
export function cookieCredentials(url: string): Credentials {
  let jar = new CookieJar(undefined, { rejectPublicSuffixes: false });
  return {
    headers() {
      const cookie = jar.getCookieStringSync(url);
      return cookie === '' ? {} : { cookie };
    },
    keep({ setCookies }) {
      for (const cookie of setCookies) jar.setCookieSync(cookie, url, { ignoreError: true });
    },
    renewal: () => null,
    expireSoon: () => false,
    forget() {
      jar = new CookieJar(undefined, { rejectPublicSuffixes: false });
    },
  };
}

/** An access token alone, exchanged for the next one while it is valid. */
export function bearerCredentials(): Credentials {
  let access: string | null = null;
  let renewAt = Infinity;
  return {
    headers: () => (access === null ? {} : { authorization: `Bearer ${access}` }),
    keep({ status, json }: Reply) {
      if (status !== 200 || typeof json !== 'object' || json === null) return;
      const { accessToken, expiresIn } = json as Record<string, unknown>;
      if (typeof accessToken !== 'string') return;
      access = accessToken;
      renewAt = typeof expiresIn === 'number' ? performance.now() + expiresIn * 500 : Infinity;
    },
    renewal: () => (access === null ? null : { method: 'POST', path: '/api/auth/renew' }),
    expireSoon: () => access !== null && performance.now() >= renewAt,
    forget() {
      access = null;
      renewAt = Infinity;
    },
  };
}

/**
 * An access token for requests, and a refresh token that works once. Plain texts on purpose: `redact` remembers a bounded
 * number of values, and thousands of tokens a minute would push the ones that matter out. Nothing here is ever printed.
 */
export function tokenCredentials(): Credentials {
  let access: string | null = null;
  let refresh: string | null = null;
  let renewAt = Infinity;
  return {
    headers: () => (access === null ? {} : { authorization: `Bearer ${access}` }),
    keep({ status, json }: Reply) {
      if (status !== 200 || typeof json !== 'object' || json === null) return;
      const { accessToken, refreshToken, expiresIn } = json as Record<string, unknown>;
      if (typeof accessToken !== 'string' || typeof refreshToken !== 'string') return;
      access = accessToken;
      refresh = refreshToken;
      // Half its life in seconds, as milliseconds: the other half is for a machine that stalls.
      renewAt = typeof expiresIn === 'number' ? performance.now() + expiresIn * 500 : Infinity;
    },
    renewal() {
      if (refresh === null) return null;
      const json = { refreshToken: refresh };
      // Gone once sent: if the answer is lost, sending it again would look like a theft.
      refresh = null;
      return { method: 'POST', path: '/api/auth/refresh', json };
    },
    expireSoon: () => refresh !== null && performance.now() >= renewAt,
    forget() {
      access = null;
      refresh = null;
      renewAt = Infinity;
    },
  };
}
