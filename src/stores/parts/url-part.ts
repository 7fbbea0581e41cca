/** The user or the password inside a URL such as DATABASE_URL (RFC 3986 `scheme://user:password@host…`). */
import { KeyturnError } from '../../domain/errors.js';
import type { Part, PartLocation } from './part.js';

const AUTHORITY = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/d;
const ESCAPE_HINT = 'characters such as @ / ? # : % in a user name or password must be percent-encoded';

export function urlPart(which: 'user' | 'password'): Part {
  return { locate: (whole) => locate(whole, which), encode };
}

function locate(url: string, which: 'user' | 'password'): PartLocation {
  const match = AUTHORITY.exec(url);
  const authority = match?.[1];
  const offset = match?.indices?.[1]?.[0];
  if (authority === undefined || offset === undefined) {
    throw notAUrl(url);
  }
  const at = authority.indexOf('@');
  // Programs disagree over which of several @ ends the password.
  if (at !== authority.lastIndexOf('@')) {
    throw new KeyturnError('malformed', 'the URL has more than one @ before its host', { hint: ESCAPE_HINT });
  }
  const colon = authority.slice(0, Math.max(at, 0)).indexOf(':');
  const [start, end] = which === 'user' ? [0, colon === -1 ? at : colon] : [colon + 1, at];
  if (at === -1 || (which === 'password' && colon === -1) || start === end) {
    throw new KeyturnError('not-found', `the URL has no ${which}`, { hint: ESCAPE_HINT });
  }
  return { start: offset + start, end: offset + end, value: decode(authority.slice(start, end), which) };
}

const IN_VARIABLES = 'swap: { credential: { in: variables, user: DB_USER, password: DB_PASSWORD } }';

function notAUrl(text: string): KeyturnError {
  if (/^jdbc:/i.test(text)) {
    return new KeyturnError('malformed', 'the value is a JDBC URL, which Keyturn does not take apart', {
      hint: `let the application read user and password from variables of their own: ${IN_VARIABLES}`,
    });
  }
  if (/(?:^|[\s;])(?:password|pwd)[ \t]{0,10}=/i.test(text)) {
    return new KeyturnError('malformed', 'the value is a list of keywords (host=… password=…), and no URL', {
      hint: `write it as postgresql://USER:PASSWORD@HOST/DATABASE, or keep user and password in variables of their own: ${IN_VARIABLES}`,
    });
  }
  return new KeyturnError('malformed', 'the value is not a URL with scheme://', {
    hint: 'write it as scheme://user:password@host/…',
  });
}

function decode(text: string, which: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // No cause: a URIError's context is the text itself.
    throw new KeyturnError('malformed', `the ${which} in the URL is not percent-encoded correctly`, {
      hint: ESCAPE_HINT,
    });
  }
}

/** Everything but RFC 3986's unreserved characters, so that no reader of URLs, shells or env files sees a special one. */
function encode(value: string): string {
  if (/\p{Surrogate}/u.test(value)) throw new KeyturnError('unrepresentable', 'the value is not well-formed Unicode');
  return encodeURIComponent(value).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
