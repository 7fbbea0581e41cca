/** Accounts of the example applications: a table `users`, passwords as scrypt hashes, a few seeded for smoke tests. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = /** @type {(password: string, salt: Buffer, length: number) => Promise<Buffer>} */ (promisify(scrypt));

export const USERS_TABLE = `
  CREATE TABLE IF NOT EXISTS users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username text NOT NULL UNIQUE,
    role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    password_hash text NOT NULL
  );
`;

/** @typedef {{ id: string, username: string, role: 'user' | 'admin' }} User */

/**
 * SMOKE_PASSWORD seeds the administrator `smoke` and the users named in SEED_USERS. No variable, no accounts.
 * @param {import('pg').Pool} pool @param {NodeJS.ProcessEnv} env
 */
export async function seedUsers(pool, env) {
  const password = env.SMOKE_PASSWORD;
  if (!password) return;
  const others = (env.SEED_USERS ?? '').split(',').map((name) => name.trim());
  for (const username of ['smoke', ...others.filter(Boolean)]) {
    if (await authenticate(pool, username, password)) continue;
    await pool.query(
      `INSERT INTO users (username, role, password_hash) VALUES ($1, $2, $3)
       ON CONFLICT (username) DO UPDATE SET password_hash = excluded.password_hash`,
      [username, username === 'smoke' ? 'admin' : 'user', await hashPassword(password)],
    );
  }
}

/** @param {import('pg').Pool} pool @param {unknown} username @param {unknown} password @returns {Promise<User | undefined>} */
export async function authenticate(pool, username, password) {
  if (typeof username !== 'string' || typeof password !== 'string') return undefined;
  const { rows } = await pool.query('SELECT id, username, role, password_hash FROM users WHERE username = $1', [
    username,
  ]);
  const row = rows[0];
  if (!row || !(await matches(password, row.password_hash))) return undefined;
  return { id: row.id, username: row.username, role: row.role };
}

/** @param {import('pg').Pool} pool @param {string} id @returns {Promise<User | undefined>} */
export async function findUser(pool, id) {
  const { rows } = await pool.query('SELECT id, username, role FROM users WHERE id = $1', [id]);
  return rows[0];
}

/** @param {string} password */
async function hashPassword(password) {
  const salt = randomBytes(16);
  return `scrypt:${salt.toString('base64')}:${(await derive(password, salt, 32)).toString('base64')}`;
}

/** @param {string} password @param {string} hash */
async function matches(password, hash) {
  const [, salt = '', digest = ''] = hash.split(':');
  const expected = Buffer.from(digest, 'base64');
  const actual = await derive(password, Buffer.from(salt, 'base64'), expected.length || 32);
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}
