import { randomBytes } from 'node:crypto';
import { decodeJwt, SignJWT, UnsecuredJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { ask, logIn, query, readSetting, reload, runningSystem, writeSetting } from './support/running-system.js';
import { refusalOf } from './support/starting.js';

const strong = (): string => randomBytes(48).toString('base64url');

describe('hms', () => {
  let system: ExampleSystem;
  const audited = async (action: string): Promise<Record<string, unknown>[]> =>
    query(system, `SELECT username, detail FROM audit_log WHERE action = '${action}' ORDER BY id DESC`);
  const refresh = (refreshToken: unknown) => ask(system, '/api/auth/refresh', { json: { refreshToken } });

  beforeAll(async () => {
    system = await runningSystem('hms');
  });

  it('gives tokens for a password and lets their bearer in', async () => {
    expect((await ask(system, '/api/me')).status).toBe(401);
    expect((await ask(system, '/api/auth/login', { json: { username: 'smoke', password: 'wrong' } })).status).toBe(401);
    const { json } = await logIn(system);
    const me = await ask(system, '/api/me', { token: json.accessToken });
    expect(me.json).toMatchObject({ user: { username: 'smoke', role: 'admin' }, impersonating: false });
    // A refresh token is no access token.
    expect((await ask(system, '/api/me', { token: json.refreshToken })).status).toBe(401);
  });

  it('rotates refresh tokens, and stores them unreadably', async () => {
    const { json } = await logIn(system, 'ana');
    const second = await refresh(json.refreshToken);
    expect(second.status).toBe(200);
    expect(second.json.refreshToken).not.toBe(json.refreshToken);
    expect((await ask(system, '/api/me', { token: second.json.accessToken })).status).toBe(200);
    expect((await refresh(second.json.refreshToken)).status).toBe(200);
    const stored = JSON.stringify(await query(system, 'SELECT * FROM refresh_tokens'));
    for (const token of [json.refreshToken, second.json.refreshToken]) expect(stored).not.toContain(token);
  });

  it('takes a refresh token that comes back for a theft: the whole family is revoked, and it is on record', async () => {
    const { json } = await logIn(system, 'ben');
    const other = await logIn(system, 'ben');
    const second = await refresh(json.refreshToken);
    expect((await refresh(json.refreshToken)).status).toBe(401);
    expect((await audited('auth.refresh_reuse'))[0]).toMatchObject({ username: 'ben' });
    // Neither the thief's nor the owner's tokens work any more; another login of the same person is untouched.
    expect((await refresh(second.json.refreshToken)).status).toBe(401);
    expect((await ask(system, '/api/me', { token: second.json.accessToken })).status).toBe(401);
    expect((await ask(system, '/api/me', { token: other.json.accessToken })).status).toBe(200);
  });

  it('lets exactly one of ten simultaneous refreshes with the same token through', async () => {
    const { json } = await logIn(system, 'carla');
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(json.refreshToken)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(9);
  });

  it('lets administrators impersonate, on record, until they stop', async () => {
    const administrator = (await logIn(system)).json.accessToken;
    const start = await ask(system, '/api/impersonation/start', { json: { username: 'guest' }, token: administrator });
    expect(start.status).toBe(200);
    const guest = start.json.accessToken;
    expect(decodeJwt(guest as string)).toHaveProperty('act.sub');
    expect((await ask(system, '/api/me', { token: guest })).json).toMatchObject({
      user: { username: 'guest' },
      impersonating: true,
    });
    // Not out of an impersonation into the next.
    const nested = await ask(system, '/api/impersonation/start', { json: { username: 'ana' }, token: guest });
    expect(nested.status).toBe(403);

    const stop = await ask(system, '/api/impersonation/stop', { method: 'POST', token: guest });
    expect(stop.json).toMatchObject({ user: { username: 'smoke' } });
    expect((await ask(system, '/api/me', { token: stop.json.accessToken })).json).toMatchObject({
      impersonating: false,
    });
    expect((await ask(system, '/api/me', { token: guest })).status).toBe(401);
    expect((await audited('impersonation.start'))[0]).toMatchObject({ username: 'smoke', detail: 'as guest' });
    expect((await audited('impersonation.stop'))[0]).toMatchObject({ username: 'smoke', detail: 'as guest' });
  });

  it('lets nobody else impersonate, and no administrator be impersonated', async () => {
    const user = (await logIn(system, 'ana')).json.accessToken;
    expect((await ask(system, '/api/impersonation/start', { json: { username: 'ben' }, token: user })).status).toBe(
      403,
    );
    expect((await audited('impersonation.refused'))[0]).toMatchObject({ username: 'ana' });
    const administrator = (await logIn(system)).json.accessToken;
    const start = (username: unknown) =>
      ask(system, '/api/impersonation/start', { json: { username }, token: administrator });
    expect((await start('smoke')).status).toBe(403);
    expect((await start('nobody')).status).toBe(404);
    expect((await ask(system, '/api/impersonation/stop', { method: 'POST', token: administrator })).status).toBe(409);
  });

  it('refuses tokens that are unsigned, or signed with another secret', async () => {
    const { accessToken } = (await logIn(system)).json;
    const claims = decodeJwt(accessToken as string);
    const forge = (secret: string): Promise<string> =>
      new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret));
    expect((await ask(system, '/api/me', { token: await forge(readSetting(system, 'JWT_SECRET')) })).status).toBe(200);
    expect((await ask(system, '/api/me', { token: await forge(strong()) })).status).toBe(401);
    expect((await ask(system, '/api/me', { token: new UnsecuredJWT(claims).encode() })).status).toBe(401);
  });

  it('forgets all tokens with its secret', async () => {
    const { json } = await logIn(system);
    writeSetting(system, 'JWT_SECRET', strong());
    expect((await reload(system)).code).toBe(0);
    expect((await ask(system, '/api/me', { token: json.accessToken })).status).toBe(401);
    expect((await refresh(json.refreshToken)).status).toBe(401);
    expect((await logIn(system)).status).toBe(200);
  });
});

it.each([
  ['a short secret', 'tooshort', 'JWT_SECRET must have at least 32 characters'],
  ['a placeholder', 'replace-me-with-a-real-secret-please-0123456789', 'JWT_SECRET is a placeholder'],
])('hms does not start with %s', async (_what, secret, message) => {
  const { code, output } = await refusalOf('hms', { JWT_SECRET: secret, DATABASE_URL: 'postgresql://x@127.0.0.1:1/x' });
  expect(code).toBe(1);
  expect(output).toContain(message);
  expect(output).not.toContain(secret);
});
