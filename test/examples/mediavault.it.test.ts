import { createHmac, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { ask, logIn, query, readSetting, reload, runningSystem, writeSetting } from './support/running-system.js';
import { refusalOf } from './support/starting.js';

const strong = (): string => randomBytes(32).toString('hex');

/** The same session id, signed with another secret (cookie-signature: `s:id.signature`). */
function resign(cookie: string, secret: string): string {
  const [name, value = ''] = cookie.split('=');
  const id = decodeURIComponent(value).slice(2).split('.')[0] ?? '';
  const signature = createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '');
  return `${name ?? ''}=${encodeURIComponent(`s:${id}.${signature}`)}`;
}

describe('mediavault', () => {
  let system: ExampleSystem;
  const actions = async (): Promise<unknown[]> =>
    (await query(system, `SELECT action FROM activity_log ORDER BY id`)).map((row) => row.action);

  beforeAll(async () => {
    system = await runningSystem('mediavault');
  });

  it('says that it and its database are well', async () => {
    const { status, json } = await ask(system, '/api/health');
    expect(status).toBe(200);
    expect(json).toMatchObject({ status: 'ok', database: 'ok', version: '1.0.0' });
  });

  it('lets people in with a password, keeps them by cookie, and forgets them at logout', async () => {
    expect((await ask(system, '/api/auth/me')).status).toBe(401);
    const { status, cookie } = await logIn(system);
    expect(status).toBe(200);
    const me = await ask(system, '/api/auth/me', { cookie });
    expect(me.json).toMatchObject({ user: { username: 'smoke', role: 'admin' } });
    expect((await ask(system, '/api/auth/logout', { method: 'POST', cookie })).status).toBe(200);
    expect((await ask(system, '/api/auth/me', { cookie })).status).toBe(401);
  });

  it('records logins, failed ones and refused sessions', async () => {
    await ask(system, '/api/auth/login', { json: { username: 'smoke', password: 'wrong' } });
    await ask(system, '/api/auth/login', { json: { username: { a: 1 }, password: null } });
    await ask(system, '/api/auth/me', { cookie: 'mediavault.sid=s%3Anonsense.nonsense' });
    const seen = await actions();
    expect(seen).toEqual(
      expect.arrayContaining(['auth.login', 'auth.login_failed', 'auth.logout', 'auth.session_rejected']),
    );
  });

  it('accepts a cookie under its own secret only', async () => {
    const { cookie } = await logIn(system, 'ana');
    const own = resign(cookie!, readSetting(system, 'SESSION_SECRET'));
    expect((await ask(system, '/api/auth/me', { cookie: own })).status).toBe(200);
    expect((await ask(system, '/api/auth/me', { cookie: resign(cookie!, strong()) })).status).toBe(401);
  });

  it('keeps sessions in user_sessions: deleting them logs everybody out', async () => {
    const { cookie } = await logIn(system, 'ben');
    const [before] = await query(system, 'SELECT count(*)::int AS live FROM user_sessions');
    expect(before!.live).toBeGreaterThan(0);
    await query(system, 'DELETE FROM user_sessions');
    expect((await ask(system, '/api/auth/me', { cookie })).status).toBe(401);
  });

  it('keeps what people write', async () => {
    const { cookie } = await logIn(system, 'carla');
    expect((await ask(system, '/api/media', { json: { title: 'Solaris' }, cookie })).status).toBe(201);
    expect((await ask(system, '/api/media', { json: { title: '' }, cookie })).status).toBe(400);
    const { json } = await ask(system, '/api/media', { cookie });
    expect(json.items).toMatchObject([{ title: 'Solaris' }]);
  });

  it('encrypts saved provider keys, tests them, and says which it cannot read under another key', async () => {
    const key = `provider-${strong()}`;
    const presented: (string | undefined)[] = [];
    const provider = createServer((request, response) => {
      presented.push(request.headers.authorization);
      response.writeHead(request.headers.authorization === `Bearer ${key}` ? 200 : 401).end();
    });
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
    try {
      // Not in the file yet, so it goes where the file's last line is.
      writeSetting(system, 'SEED_USERS', `ana\nTMDB_URL=http://127.0.0.1:${(provider.address() as AddressInfo).port}/`);
      expect((await reload(system)).code).toBe(0);
      const { cookie } = await logIn(system);
      const user = (await logIn(system, 'ana')).cookie;
      expect((await ask(system, '/api/integrations', { cookie: user })).status).toBe(403);

      // The environment's key is another one, which this provider does not know.
      expect((await ask(system, '/api/integrations/tmdb/test', { method: 'POST', cookie })).status).toBe(502);
      expect((await ask(system, '/api/integrations/tmdb', { method: 'PUT', json: { key }, cookie })).status).toBe(200);
      expect((await ask(system, '/api/integrations/tmdb/test', { method: 'POST', cookie })).json.works).toBe(true);
      expect(presented.at(-1)).toBe(`Bearer ${key}`);
      const [row] = await query(system, `SELECT api_key_encrypted AS sealed FROM app_integrations`);
      expect(row!.sealed).toMatch(/^v1:/);
      expect(JSON.stringify(row)).not.toContain(key);

      writeSetting(system, 'INTEGRATION_ENCRYPTION_KEY', strong());
      expect((await reload(system)).code).toBe(0);
      const { json } = await ask(system, '/api/integrations', { cookie });
      expect(json.integrations).toContainEqual(
        expect.objectContaining({ provider: 'tmdb', source: 'saved', readable: false }),
      );
      expect((await ask(system, '/api/integrations/tmdb/test', { method: 'POST', cookie })).status).toBe(409);
    } finally {
      provider.closeAllConnections();
      provider.close();
    }
  });
});

describe('mediavault does not start', () => {
  const good = { INTEGRATION_ENCRYPTION_KEY: strong(), DB_PASSWORD: strong(), SESSION_SECRET: strong() };

  it.each([
    ['a short secret', { SESSION_SECRET: 'abcdefghij0123456789' }, 'SESSION_SECRET must have at least 32 characters'],
    ['a placeholder', { SESSION_SECRET: 'change-me-change-me-change-me-change-me' }, 'SESSION_SECRET is a placeholder'],
    ['one character over and over', { SESSION_SECRET: 'a'.repeat(64) }, 'SESSION_SECRET is a placeholder'],
    ['a test value', { SESSION_SECRET: `test-session-${strong()}` }, 'SESSION_SECRET is a test value'],
    [
      'a short encryption key',
      { INTEGRATION_ENCRYPTION_KEY: 'short' },
      'INTEGRATION_ENCRYPTION_KEY must have at least 32',
    ],
    [
      'a placeholder as encryption key',
      { INTEGRATION_ENCRYPTION_KEY: 'your-32-character-encryption-key!!' },
      'is a placeholder',
    ],
    ['no secret', { SESSION_SECRET: '' }, 'SESSION_SECRET is not set'],
  ])('with %s, and does not print it', async (_what, bad, message) => {
    const { code, output } = await refusalOf('mediavault', { ...good, ...bad });
    expect(code).toBe(1);
    expect(output).toContain(message);
    for (const value of Object.values({ ...good, ...bad })) if (value) expect(output).not.toContain(value);
  });
});
