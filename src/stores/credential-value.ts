/** A database credential as a store keeps it: user and password inside a URL, a JSON text, two variables, or a password alone. */
import type { Login } from '../databases/server.js';
import { KeyturnError } from '../domain/errors.js';
import { SecretValue } from '../domain/secret-value.js';
import type { CredentialShape } from '../domain/specs/swap.js';
import type { PartSpec } from '../domain/specs/secret.js';
import { pairText, parsePair } from './pair-value.js';
import { partOf, splicePart } from './parts/part.js';

/** @throws KeyturnError `malformed` or `not-found`; the message never shows the value. */
export function readCredential(shape: CredentialShape, value: SecretValue): Login {
  const text = value.reveal();
  switch (shape.in) {
    case 'url':
      return readParts(text, urlParts(text));
    case 'json':
      return readParts(text, jsonParts(shape));
    case 'variables': {
      const [user, password] = parsePair(text);
      return { user, password: new SecretValue(password) };
    }
    case 'password':
      return { user: shape.user, password: value };
  }
}

/**
 * `old` with another user and password in it; every other character stays, and so do user or password that are the same.
 * @throws KeyturnError as readCredential; `unrepresentable` for another user where the user is fixed, and for what does not read back.
 */
export function composeCredential(shape: CredentialShape, old: SecretValue, login: Login): SecretValue {
  const before = readCredential(shape, old);
  const composed = new SecretValue(textWith(shape, old.reveal(), before, login));
  const back = readCredential(shape, composed);
  if (back.user === login.user && back.password.equals(login.password)) return composed;
  throw new KeyturnError('unrepresentable', 'the new user and password do not read back as written');
}

function textWith(shape: CredentialShape, old: string, before: Login, login: Login): string {
  switch (shape.in) {
    case 'url':
      return spliceParts(old, urlParts(old), before, login);
    case 'json':
      return spliceParts(old, jsonParts(shape), before, login);
    case 'variables':
      return pairText(login.user, login.password.reveal());
    case 'password':
      if (login.user === shape.user) return login.password.reveal();
      throw new KeyturnError(
        'unrepresentable',
        `the user name is fixed as ${shape.user}: the store holds the password only`,
        {
          hint: 'choose strategy same-role, or keep user and password in the store',
        },
      );
  }
}

interface Parts {
  readonly user: PartSpec;
  readonly password: PartSpec;
}

function urlParts(url: string): Parts {
  // libpq and node-postgres let these win over what stands before the host.
  if (/[?&](?:user|password)=/i.test(url)) {
    throw new KeyturnError('malformed', 'the URL names a user or a password after its "?"', {
      hint: 'write them once, before the host: postgresql://USER:PASSWORD@HOST/DATABASE',
    });
  }
  return { user: { url: 'user' }, password: { url: 'password' } };
}

function jsonParts({ user, password }: Extract<CredentialShape, { in: 'json' }>): Parts {
  if (user === password) throw new KeyturnError('malformed', 'user and password cannot be the same field');
  return { user: { json: user }, password: { json: password } };
}

function readParts(text: string, parts: Parts): Login {
  const read = (part: PartSpec): string => partOf(part).locate(text).value;
  return { user: read(parts.user), password: new SecretValue(read(parts.password)) };
}

function spliceParts(text: string, parts: Parts, before: Login, login: Login): string {
  const splice = (whole: string, part: PartSpec, value: string): string =>
    splicePart(partOf(part), whole, partOf(part).encode(value));
  const withUser = login.user === before.user ? text : splice(text, parts.user, login.user);
  return login.password.equals(before.password) ? withUser : splice(withUser, parts.password, login.password.reveal());
}
