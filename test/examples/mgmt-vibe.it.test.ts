import { randomBytes } from 'node:crypto';
import { unsign } from 'cookie-signature';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { ask, logIn, query, readSetting, reload, runningSystem, writeSetting } from './support/running-system.js';
import { userRole } from './support/roles.js';
import { refusalOf } from './support/starting.js';
import { stays } from '../support/meanwhile.js';

const strong = (): string => randomBytes(32).toString('hex');

function signedWith(cookie: string | null, secret: string): boolean {
  const value = decodeURIComponent(cookie?.split('=')[1] ?? '').slice(2);
  return unsign(value, secret) !== false;
}

describe('mgmt-vibe', () => {
  let system: ExampleSystem;
  const show = async (...secrets: string[]): Promise<void> => {
    writeSetting(system, 'SESSION_SECRET', secrets.join(','));
    expect(await reload(system)).toMatchObject({ code: 0 });
  };

  beforeAll(async () => {
    system = await runningSystem('mgmt-vibe');
    // Longer than staging's ten seconds: on a busy machine a reload alone can take as long.
    writeSetting(system, 'SESSION_MAX_AGE_SECONDS', '600');
    expect(await reload(system)).toMatchObject({ code: 0 });
  });

  it('accepts every secret of the list, in any order, and signs with the first', async () => {
    const [old, next] = [readSetting(system, 'SESSION_SECRET'), strong()];
    const first = (await logIn(system)).cookie;
    expect(signedWith(first, old)).toBe(true);

    await show(old, next);
    const second = await ask(system, '/api/auth/me', { cookie: first });
    expect(second.status).toBe(200);
    expect(signedWith(second.cookie, old)).toBe(true);

    await show(next, old);
    const third = await ask(system, '/api/auth/me', { cookie: first });
    expect(third.status).toBe(200);
    // Rolling: the answer to a cookie under the old secret carries the same session under the new one.
    expect(signedWith(third.cookie, next)).toBe(true);
    expect(signedWith(third.cookie, old)).toBe(false);

    await show(next);
    expect((await ask(system, '/api/auth/me', { cookie: third.cookie })).status).toBe(200);
    expect((await ask(system, '/api/auth/me', { cookie: first })).status).toBe(401);
  });

  it('lets a session live for a fixed time after its last request', async () => {
    const { cookie } = await logIn(system, 'ana');
    const secondsLeft = async (): Promise<number> => {
      const [row] = await query(
        system,
        `SELECT extract(epoch FROM expire - localtimestamp)::float AS seconds FROM sessions WHERE sess->'user'->>'username' = 'ana'`,
      );
      return row!.seconds as number;
    };
    await query(system, `UPDATE sessions SET expire = localtimestamp + interval '4 s'`);
    expect((await ask(system, '/api/auth/me', { cookie })).status).toBe(200);
    // Rolling: the request has put the end off again, to ten minutes from now.
    expect(await secondsLeft()).toBeGreaterThan(500);
    // The store rounds up to whole seconds.
    expect(await secondsLeft()).toBeLessThanOrEqual(601);
    await query(system, `UPDATE sessions SET expire = localtimestamp - interval '1 s'`);
    expect((await ask(system, '/api/auth/me', { cookie })).status).toBe(401);
  });

  it('starts again as a role that may use its tables and owns none of them', async () => {
    const first = readSetting(system, 'DATABASE_URL');
    writeSetting(system, 'DATABASE_URL', (await userRole(system, 'second')).url);
    expect(await reload(system)).toMatchObject({ code: 0 });
    const { cookie } = await logIn(system, 'carla');
    expect((await ask(system, '/api/tasks', { json: { title: 'as the second role' }, cookie })).status).toBe(201);
    writeSetting(system, 'DATABASE_URL', first);
    expect(await reload(system)).toMatchObject({ code: 0 });
    expect((await ask(system, '/api/tasks', { cookie })).json.tasks).toMatchObject([{ title: 'as the second role' }]);
  });

  it('counts answers by class and refused sessions over all workers, also across reloads', async () => {
    type Metrics = { responses: Record<string, number>; auth: Record<string, number> };
    const metrics = async (): Promise<Metrics> => (await ask(system, '/api/metrics')).json as unknown as Metrics;
    // Workers report every 100 ms; what the tests before did must be in.
    let before = await metrics();
    await stays(200, async () => (before = await metrics()));
    await Promise.all(Array.from({ length: 10 }, () => ask(system, '/api/auth/me', { cookie: 'vibe.sid=s%3Ax.y' })));
    await ask(system, '/api/auth/me');
    await ask(system, '/api/auth/login', { json: { username: 'smoke', password: 'wrong' } });
    await expect.poll(async () => (await metrics()).responses['401']! - before.responses['401']!).toBe(12);
    expect((await reload(system)).code).toBe(0);
    const after = await metrics();
    expect(after.responses['401']! - before.responses['401']!).toBe(12);
    expect(after.auth.sessionsRejected! - before.auth.sessionsRejected!).toBe(10);
    expect(after.auth.loginsFailed! - before.auth.loginsFailed!).toBe(1);
    expect(after.responses['5xx']).toBe(0);
  });
});

describe('mgmt-vibe does not start', () => {
  const good = strong();

  it.each([
    ['a weak second secret', `${good},short`, 'SESSION_SECRET (entry 2) must have at least 32 characters'],
    ['an empty entry', `${good},`, 'SESSION_SECRET (entry 2) must have at least 32 characters'],
    ['the same secret twice', `${good},${good}`, 'SESSION_SECRET names the same value twice'],
    ['a test value outside development', `test-session_secret-${strong()}`, 'is a test value'],
  ])('with %s', async (_what, secret, message) => {
    const { code, output } = await refusalOf('mgmt-vibe', {
      SESSION_SECRET: secret,
      DATABASE_URL: 'postgresql://x@127.0.0.1:1/x',
    });
    expect(code).toBe(1);
    expect(output).toContain(message);
    expect(output).not.toContain(good);
  });
});
