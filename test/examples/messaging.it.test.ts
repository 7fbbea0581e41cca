import { randomBytes } from 'node:crypto';
import { decodeJwt, SignJWT, UnsecuredJWT } from 'jose';
import pg from 'pg';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { startTraffic } from '../../src/demo/traffic.js';
import type { Answer } from './support/running-system.js';
import {
  ask,
  logIn,
  query,
  readSetting,
  reload,
  runningSystems,
  variable,
  writeSetting,
} from './support/running-system.js';
import { memberRole, userRole } from './support/roles.js';
import { refusalOf } from './support/starting.js';
import { inDeep } from '../support/deep.js';
import { stays } from '../support/meanwhile.js';

const strong = (): string => randomBytes(32).toString('base64');

let staging: ExampleSystem;
let production: ExampleSystem;

beforeAll(async () => {
  const systems = await runningSystems('messaging');
  [staging, production] = [systems[0]!, systems[1]!];
});

const refresh = (refreshToken: unknown, system = production): Promise<Answer> =>
  ask(system, '/api/auth/refresh', { json: { refreshToken } });

const look = (refreshToken: unknown): Promise<Answer> => ask(production, '/api/auth/refresh', { token: refreshToken });

const me = async (token: unknown, system = production): Promise<number> =>
  (await ask(system, '/api/me', { token })).status;

async function settle(settings: Record<string, string>, system = production): Promise<void> {
  for (const [key, value] of Object.entries(settings)) writeSetting(system, key, value);
  expect(await reload(system)).toMatchObject({ code: 0 });
}

/** Adds the empty second variable below the first, where the file has none. */
function addPrevious(key: string): void {
  writeSetting(production, key, `${readSetting(production, key)}\n${key}_PREVIOUS=`);
}

async function pools(system: ExampleSystem): Promise<{ role: string; application: string; count: number }[]> {
  const rows = await query(
    system,
    `SELECT usename::text AS role, application_name AS application, count(*)::int FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'messaging-%' GROUP BY 1, 2 ORDER BY 2`,
  );
  return rows as { role: string; application: string; count: number }[];
}

async function instances(system: ExampleSystem): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(system, '/api/health')));
  return [...new Set(answers.map(({ json }) => json.instance as number))];
}

describe('two environments of messaging', () => {
  it('run side by side, each with a database, a role, files and processes of its own', () => {
    expect([staging.environment, production.environment]).toEqual(['staging', 'production']);
    for (const key of ['url', 'envFile', 'logFile', 'pid', 'role'] as const) {
      expect(staging[key]).not.toBe(production[key]);
    }
    for (const key of ['JWT_ACCESS_SECRET', 'JWT_REFRESH_SECRET', 'METRICS_AUTH_TOKEN', 'DATABASE_URL']) {
      expect(readSetting(staging, key)).not.toBe(readSetting(production, key));
    }
    expect(Object.keys({ ...staging.variables, ...production.variables }).sort()).toEqual(
      ['PRODUCTION', 'STAGING'].flatMap((environment) =>
        ['ADMIN_URL', 'ENV_FILE', 'PID_FILE', 'PORT', 'SMOKE_PASSWORD'].map(
          (what) => `MESSAGING_${environment}_${what}`,
        ),
      ),
    );
  });

  it('do not accept each other’s tokens or passwords', async () => {
    expect(await me((await logIn(staging)).json.accessToken)).toBe(401);
    const json = { username: 'smoke', password: staging.password.reveal() };
    expect((await ask(production, '/api/auth/login', { json })).status).toBe(401);
  });

  it('own everything in their databases by the role that they sign in as', async () => {
    for (const system of [staging, production]) {
      const rows = await query(
        system,
        `SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
      );
      expect(rows).toEqual([{ owner: system.role }]);
    }
  });
});

describe('messaging', () => {
  it('says that it and its database are well, and not as whom it is connected', async () => {
    const { status, json } = await ask(production, '/api/health');
    expect(status).toBe(200);
    expect(json).toMatchObject({ status: 'ok', database: 'ok', serverErrors: 0 });
    expect(JSON.stringify(json)).not.toContain('messaging_production');
  });

  it('keeps a few open connections for each instance, named after it', async () => {
    const before = await pools(production);
    expect(before.map(({ application }) => application).sort()).toEqual(
      (await instances(production)).map((pid) => `messaging-${pid}`).sort(),
    );
    for (const { count } of before) expect(count).toBeGreaterThanOrEqual(3);
  });

  it('lets people write to each other and read what they got', async () => {
    const [ana, ben] = [await logIn(production, 'ana'), await logIn(production, 'ben')];
    const text = `hello ${strong()}`;
    const post = (json: unknown, token: unknown = ana.json.accessToken): Promise<Answer> =>
      ask(production, '/api/messages', { json, token });
    expect((await post({ to: 'ben', text })).status).toBe(201);
    expect((await post({ to: 'nobody', text })).status).toBe(404);
    expect((await post({ to: 'ben', text: '' })).status).toBe(400);
    expect((await post({ to: 'ben', text }, null)).status).toBe(401);
    const inbox = await ask(production, '/api/messages', { token: ben.json.accessToken });
    expect((inbox.json.messages as unknown[])[0]).toMatchObject({ from: 'ana', text });
    const sent = await ask(production, '/api/messages', { token: ana.json.accessToken });
    expect(JSON.stringify(sent.json)).not.toContain(text);
  });

  it('renews tokens: each refresh token works once, a look at it costs nothing', async () => {
    const { json } = await logIn(production, 'ana');
    expect(json.expiresIn).toBe(900);
    expect((await look(json.refreshToken)).status).toBe(200);
    expect((await look(json.refreshToken)).status).toBe(200);
    const second = await refresh(json.refreshToken);
    expect(second.status).toBe(200);
    expect(await me(second.json.accessToken)).toBe(200);
    expect((await look(json.refreshToken)).status).toBe(401);
    expect((await look(second.json.refreshToken)).status).toBe(200);
    // An access token is no refresh token, nor the other way round.
    expect((await refresh(second.json.accessToken)).status).toBe(401);
    expect(await me(second.json.refreshToken)).toBe(401);
    const stored = JSON.stringify(await query(production, 'SELECT * FROM refresh_tokens'));
    expect(stored).not.toContain((json.refreshToken as string).split('.')[2]);
  });

  it('takes a refresh token that comes back for a theft and ends its sign-in, and no other', async () => {
    const [{ json }, other] = [await logIn(production, 'ben'), await logIn(production, 'ben')];
    const second = await refresh(json.refreshToken);
    expect((await refresh(json.refreshToken)).status).toBe(401);
    expect((await refresh(second.json.refreshToken)).status).toBe(401);
    expect(await me(second.json.accessToken)).toBe(401);
    expect(await me(other.json.accessToken)).toBe(200);
    const [row] = await query(
      production,
      `SELECT count(*)::int AS ended FROM sign_ins WHERE revoked_because = 'refresh token reused'`,
    );
    expect(row!.ended).toBe(1);
  });

  it('lets exactly one of ten simultaneous refreshes with the same token through', async () => {
    const { json } = await logIn(production, 'carla');
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(json.refreshToken)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 9 }, () => 401)]);
  });

  it('signs people out, also their access tokens', async () => {
    const { json } = await logIn(production, 'ana');
    expect((await ask(production, '/api/auth/logout', { method: 'POST', token: json.accessToken })).status).toBe(200);
    expect(await me(json.accessToken)).toBe(401);
    expect((await refresh(json.refreshToken)).status).toBe(401);
  });

  it('shows its counters to whoever presents METRICS_AUTH_TOKEN, and to nobody else', async () => {
    const token = readSetting(production, 'METRICS_AUTH_TOKEN');
    const { status, json } = await ask(production, '/api/metrics', { token });
    expect(status).toBe(200);
    expect(json.auth).toMatchObject({ refreshReused: expect.any(Number) as number });
    const access = (await logIn(production)).json.accessToken;
    for (const wrong of [undefined, '', strong(), `${token}x`, token.slice(1), access]) {
      expect((await ask(production, '/api/metrics', { token: wrong })).status).toBe(401);
    }
  });

  it('refuses tokens that are unsigned, or signed with another secret or for another use', async () => {
    const { accessToken } = (await logIn(production)).json;
    const claims = decodeJwt(accessToken as string);
    const forge = (secret: string): Promise<string> =>
      new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret));
    expect(await me(await forge(readSetting(production, 'JWT_ACCESS_SECRET')))).toBe(200);
    expect(await me(await forge(readSetting(production, 'JWT_REFRESH_SECRET')))).toBe(401);
    expect(await me(await forge(strong()))).toBe(401);
    expect(await me(new UnsecuredJWT(claims).encode())).toBe(401);
  });

  it('moves the messages of a month into a table of that month, made when it is needed', async () => {
    const month = new Date().toISOString().slice(0, 7);
    const table = `messages_archive_${month.replace('-', '')}`;
    const [admin, ana] = [await logIn(production), await logIn(production, 'ana')];
    const text = `for the archive ${strong()}`;
    const post = () => ask(production, '/api/messages', { json: { to: 'ana', text }, token: ana.json.accessToken });
    const store = (which: string, token: unknown = admin.json.accessToken) =>
      ask(production, `/api/archives/${which}`, { method: 'POST', token });
    const archived = () => ask(production, `/api/archives/${month}`, { token: ana.json.accessToken });

    // Often enough for every connection of both instances to have found that there is no such table.
    const looked = await Promise.all(Array.from({ length: 60 }, archived));
    expect(new Set(looked.map(({ status }) => status))).toEqual(new Set([404]));
    expect((await store(month, ana.json.accessToken)).status).toBe(403);
    for (const wrong of ['2026-13', '202611', '2026-11;--']) {
      expect((await store(encodeURIComponent(wrong))).status).toBe(400);
    }
    await post();
    const first = await Promise.all([store(month), store(month)]);
    expect(first.map(({ status }) => status).sort()).toEqual([200, 201]);
    expect(first.find(({ status }) => status === 201)!.json).toMatchObject({ table, created: true });
    await post();
    expect((await store(month)).json).toEqual({ table, created: false, moved: 1 });
    expect(((await archived()).json.messages as unknown[]).slice(0, 2)).toMatchObject([{ text }, { text }]);
    const left = await ask(production, '/api/messages', { token: ana.json.accessToken });
    expect(left.json.messages).toEqual([]);
    expect((await store('2025-01')).json).toMatchObject({ created: true, moved: 0 });
  });
});

inDeep.describe.each([
  { key: 'JWT_ACCESS_SECRET', issued: async () => (await logIn(production)).json.accessToken, accepts: me },
  {
    key: 'JWT_REFRESH_SECRET',
    issued: async () => (await logIn(production)).json.refreshToken,
    accepts: async (token: unknown) => (await look(token)).status,
  },
  {
    key: 'METRICS_AUTH_TOKEN',
    issued: () => Promise.resolve(readSetting(production, 'METRICS_AUTH_TOKEN')),
    accepts: async (token: unknown) => (await ask(production, '/api/metrics', { token })).status,
  },
])('the overlap of $key', ({ key, issued, accepts }) => {
  it('accepts a second value by the previous variable, hands out the first, and ends when it is empty', async () => {
    const [old, next] = [readSetting(production, key), strong()];
    addPrevious(key);
    const before = await issued();
    await settle({ [`${key}_PREVIOUS`]: next });
    expect(await accepts(before)).toBe(200);
    expect(await accepts(await issued())).toBe(200);

    await settle({ [key]: next, [`${key}_PREVIOUS`]: old });
    const after = await issued();
    expect(after).not.toBe(before);
    expect(await accepts(before)).toBe(200);
    expect(await accepts(after)).toBe(200);

    await settle({ [`${key}_PREVIOUS`]: '' });
    expect(await accepts(before)).toBe(401);
    expect(await accepts(after)).toBe(200);
  });
});

describe('a reload of messaging under traffic', { timeout: 240_000 }, () => {
  inDeep.it('loses no request in either environment, and closes the old pools', async () => {
    const people = await startTraffic([staging, production]);
    onTestFinished(async () => {
      await people.stop();
    });
    const old = [...(await pools(staging)), ...(await pools(production))].map(({ application }) => application);
    for (let round = 0; round < 3; round += 1) {
      const results = await Promise.all([reload(staging), reload(production)]);
      expect(results).toMatchObject([{ code: 0 }, { code: 0 }]);
    }
    const now = [...(await pools(staging)), ...(await pools(production))].map(({ application }) => application);
    expect(now).toHaveLength(4);
    expect(now.filter((application) => old.includes(application))).toEqual([]);
    const counts = await people.stop();
    for (const name of ['messaging/staging', 'messaging/production'] as const) {
      expect([...people.reasons(name)]).toEqual([]);
      expect(counts.get(name)).toMatchObject({ failed: 0, refused: 0, signedInAgain: 0 });
      expect(counts.get(name)!.writes).toBeGreaterThan(20);
    }
    for (const system of [staging, production]) {
      expect((await ask(system, '/api/health')).json.serverErrors).toBe(0);
    }
  });

  inDeep.it(
    'lets a request that waits for the database finish on its old connection, and closes that pool after it',
    async () => {
      const { accessToken } = (await logIn(production)).json;
      const old = (await pools(production)).map(({ application }) => application);
      const locker = new pg.Client({ connectionString: variable(production, '_ADMIN_URL') });
      await locker.connect();
      onTestFinished(() => locker.end());
      await locker.query('BEGIN');
      await locker.query('LOCK TABLE messages IN ACCESS EXCLUSIVE MODE');
      const json = { to: 'smoke', text: 'sent during a reload' };
      const posting = ask(production, '/api/messages', { json, token: accessToken });
      const waiting = `SELECT application_name AS application FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      await expect.poll(() => query(production, waiting), { timeout: 30_000 }).toHaveLength(1);
      const reloading = reload(production);
      const fresh = async (): Promise<number> =>
        (await pools(production)).filter(({ application }) => !old.includes(application)).length;
      await expect.poll(fresh, { timeout: 20_000 }).toBe(2);
      // Long enough for the idle instance to leave: the busy one must not.
      await stays(4_000, async () => {
        expect(old).toContain((await query(production, waiting))[0]!.application);
      });
      await locker.query('ROLLBACK');
      expect((await posting).status).toBe(201);
      expect(await reloading).toMatchObject({ code: 0 });
      expect((await pools(production)).filter(({ application }) => old.includes(application))).toEqual([]);
    },
  );

  inDeep.it('keeps everybody signed in while their access tokens expire', async () => {
    await settle({ ACCESS_TOKEN_SECONDS: '4' }, staging);
    const people = await startTraffic([staging]);
    onTestFinished(async () => {
      await people.stop();
    });
    const well = { failed: 0, refused: 0, signedInAgain: 0 };
    await stays(9_000, () => {
      expect(people.counts('messaging')).toMatchObject(well);
    });
    expect((await people.stop()).get('messaging')).toMatchObject(well);
    await settle({ ACCESS_TOKEN_SECONDS: '30' }, staging);
  });

  inDeep.it('moves to another role that works as the owner, and back, without a lost request', async () => {
    const people = await startTraffic([production]);
    onTestFinished(async () => {
      await people.stop();
    });
    const first = readSetting(production, 'DATABASE_URL');
    const second = await memberRole(production, 'second');
    await settle({ DATABASE_URL: second.url });
    const moved = await pools(production);
    expect(new Set(moved.map(({ role }) => role))).toEqual(new Set([second.name]));

    // What it makes now belongs to the owner, and is of use to the first role afterwards.
    const admin = (await logIn(production)).json.accessToken;
    const made = await ask(production, '/api/archives/2025-02', { method: 'POST', token: admin });
    expect(made).toMatchObject({ status: 201 });
    const [owner] = await query(
      production,
      `SELECT pg_get_userbyid(relowner) AS name FROM pg_class WHERE relname = 'messages_archive_202502'`,
    );
    expect(owner!.name).toBe(production.role);

    await settle({ DATABASE_URL: first });
    expect(new Set((await pools(production)).map(({ role }) => role))).toEqual(new Set([production.role]));
    expect((await ask(production, '/api/archives/2025-02', { method: 'POST', token: admin })).status).toBe(200);
    const counts = (await people.stop()).get('messaging')!;
    expect([...people.reasons('messaging/production')]).toEqual([]);
    expect(counts).toMatchObject({ failed: 0, refused: 0, signedInAgain: 0 });
  });

  inDeep.it('starts as a role that may use everything and owns nothing', async () => {
    const first = readSetting(production, 'DATABASE_URL');
    const third = await userRole(production, 'third');
    await settle({ DATABASE_URL: third.url });
    expect(new Set((await pools(production)).map(({ role }) => role))).toEqual(new Set([third.name]));
    const ana = (await logIn(production, 'ana')).json.accessToken;
    const post = { json: { to: 'ana', text: 'as the third role' }, token: ana };
    expect((await ask(production, '/api/messages', post)).status).toBe(201);
    const admin = (await logIn(production)).json.accessToken;
    const stored = await ask(production, '/api/archives/2025-02', { method: 'POST', token: admin });
    expect(stored).toMatchObject({ status: 200, json: { created: false } });
    await settle({ DATABASE_URL: first });
  });

  it('to a role that may not sign in leaves the old pools serving', async () => {
    const good = readSetting(production, 'DATABASE_URL');
    const bad = new URL(good);
    bad.password = 'not-the-password';
    writeSetting(production, 'DATABASE_URL', bad.href);
    const before = await instances(production);
    const { code, output } = await reload(production);
    expect(code).toBe(1);
    expect(output).toContain('the database refused');
    expect(output).not.toContain('not-the-password');
    expect((await instances(production)).sort()).toEqual(before.sort());
    await settle({ DATABASE_URL: good });
  });
});

describe('messaging does not start', () => {
  const good = (): Record<string, string> => ({
    JWT_ACCESS_SECRET: strong(),
    JWT_REFRESH_SECRET: strong(),
    METRICS_AUTH_TOKEN: strong(),
    DATABASE_URL: 'postgresql://x@127.0.0.1:1/x',
  });
  const shared = strong();

  it.each([
    ['no access secret', { JWT_ACCESS_SECRET: '' }, 'JWT_ACCESS_SECRET is not set'],
    [
      'a short refresh secret',
      { JWT_REFRESH_SECRET: 'tooshort9' },
      'JWT_REFRESH_SECRET must have at least 32 characters',
    ],
    [
      'a weak previous secret',
      { JWT_ACCESS_SECRET_PREVIOUS: 'tooshort9' },
      'JWT_ACCESS_SECRET_PREVIOUS must have at least 32',
    ],
    [
      'one secret for two purposes',
      { JWT_ACCESS_SECRET: shared, JWT_REFRESH_SECRET: shared },
      'JWT_REFRESH_SECRET and JWT_ACCESS_SECRET share a value',
    ],
    ['no token for scrapers', { METRICS_AUTH_TOKEN: '' }, 'METRICS_AUTH_TOKEN is not set'],
    [
      'a pool smaller than its minimum',
      { DATABASE_POOL_MIN: '5', DATABASE_POOL_MAX: '4' },
      'DATABASE_POOL_MAX must be',
    ],
  ])('with %s, and does not print it', async (_what, bad, message) => {
    const settings: Record<string, string> = { ...good(), ...bad };
    const { code, output } = await refusalOf('messaging', settings);
    expect(code).toBe(1);
    expect(output).toContain(message);
    for (const value of Object.values(settings)) if (value.length > 8) expect(output).not.toContain(value);
  });
});
