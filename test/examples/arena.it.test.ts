import { randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { decodeJwt, SignJWT, UnsecuredJWT } from 'jose';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { startTraffic } from '../../src/demo/traffic.js';
import { temporaryDirectory } from '../../src/embedded/directories.js';
import { control, python, readSecret, secretFile, tokenOf, writeSecret } from './support/arena.js';
import { ask, EXAMPLES, query, runningSystem, variable, type ReloadResult } from './support/running-system.js';
import { inDeep } from '../support/deep.js';
import { stays } from '../support/meanwhile.js';

const strong = (): string => randomBytes(32).toString('hex');
const fernetKey = (): string => `${randomBytes(32).toString('base64url')}=`;

// A restart drains connections for three seconds; on a machine that runs everything else at the same time, more.
describe.skipIf(python === null)('arena', { timeout: 240_000 }, () => {
  let system: ExampleSystem;
  const health = () => ask(system, '/api/arenas/health');
  const counters = async (): Promise<Record<string, Record<string, number>>> =>
    (await ask(system, '/api/metrics')).json as Record<string, Record<string, number>>;
  const restart = async (...services: string[]): Promise<void> => {
    for (const service of services) expect(await control(system, 'restart', service)).toMatchObject({ code: 0 });
  };
  const me = (token: unknown) => ask(system, '/api/me', { token });

  beforeAll(async () => {
    system = await runningSystem('arena');
  });

  it('gives a token for a password and lets its bearer in, and nobody else', async () => {
    expect((await me(undefined)).status).toBe(401);
    expect((await ask(system, '/api/auth/login', { json: { username: 'smoke', password: 'wrong' } })).status).toBe(401);
    const token = await tokenOf(system);
    expect(await me(token)).toMatchObject({ status: 200, json: { user: { username: 'smoke', role: 'admin' } } });
    const claims = decodeJwt(token);
    expect(claims.exp! - claims.iat!).toBe(30 * 60);
    const forge = (key: string): Promise<string> =>
      new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(key));
    expect((await me(await forge(readSecret(system, 'secret_key')))).status).toBe(200);
    expect((await me(await forge(strong()))).status).toBe(401);
    expect((await me(new UnsecuredJWT(claims).encode())).status).toBe(401);
    const renewed = await ask(system, '/api/auth/renew', { method: 'POST', token });
    expect((await me(renewed.json['accessToken'])).status).toBe(200);
  });

  it('repeats nothing of a request that it does not understand', async () => {
    const password = strong();
    const answer = await ask(system, '/api/auth/login', { json: { username: ['x'], password } });
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.json)).not.toContain(password);
  });

  it('keeps credentials encrypted, uses them, and lets administrators enter them again', async () => {
    const [token, ana] = [await tokenOf(system), await tokenOf(system, 'ana')];
    const collect = (platform: string) =>
      ask(system, `/api/arenas/${platform}/collect`, { method: 'POST', token: ana });
    expect((await collect('bluesky')).status).toBe(200);
    const value = `entered-${strong()}`;
    const enter = (who: string) =>
      ask(system, '/api/admin/credentials/bluesky', { method: 'PUT', json: { value }, token: who });
    expect((await enter(ana)).status).toBe(403);
    expect((await enter(token)).status).toBe(200);
    expect(await collect('bluesky')).toMatchObject({ status: 200, json: { usedCharacters: value.length } });
    const stored = JSON.stringify(await query(system, 'SELECT * FROM api_credentials'));
    expect(stored).toContain('gAAAAA');
    expect(stored).not.toContain(value);

    const listed = await ask(system, '/api/admin/credentials', { token });
    expect((listed.json['credentials'] as { readable: boolean }[]).map(({ readable }) => readable)).not.toContain(
      false,
    );
    expect((await ask(system, '/api/admin/arenas/bluesky/disable', { method: 'POST', token })).status).toBe(200);
    expect((await collect('bluesky')).status).toBe(409);
    expect((await ask(system, '/api/admin/arenas/bluesky/enable', { method: 'POST', token })).status).toBe(200);
    expect((await collect('bluesky')).status).toBe(200);
    expect((await collect('nowhere')).status).toBe(404);
  });

  it('says that it is not well as soon as one stored credential cannot be decrypted, and which', async () => {
    expect(await health()).toMatchObject({
      status: 200,
      json: { status: 'ok', credentials: { total: 8, unreadable: 0 } },
    });
    const before = (await counters())['collection']!;
    const [row] = await query(
      system,
      `UPDATE api_credentials SET encrypted_value = overlay(encrypted_value placing 'XXXX' from 40)
       WHERE platform = 'serper' AND credential_name = 'default' RETURNING id`,
    );
    expect(await health()).toMatchObject({
      status: 503,
      json: { status: 'degraded', database: 'ok', credentials: { unreadable: 1, ids: [Number(row!['id'])] } },
    });
    const token = await tokenOf(system);
    expect((await ask(system, '/api/arenas/serper/collect', { method: 'POST', token })).status).toBe(502);
    // The worker notices too, and goes on with the others.
    await expect
      .poll(async () => (await counters())['collection']!['failures'], { timeout: 20_000 })
      .toBeGreaterThan(before['failures']!);
    expect((await counters())['collection']!['credentialsRead']).toBeGreaterThan(before['credentialsRead']!);
    const json = { value: 'entered-anew' };
    expect((await ask(system, '/api/admin/credentials/serper', { method: 'PUT', json, token })).status).toBe(200);
    expect((await health()).status).toBe(200);
  });

  it('collects from all that is enabled at once, and says how many credentials it could not read', async () => {
    const [token, ana] = [await tokenOf(system), await tokenOf(system, 'ana')];
    const collect = (): Promise<Record<string, unknown>> =>
      ask(system, '/api/arenas/collect', { method: 'POST', token: ana }).then(({ status, json }) => ({
        status,
        ...json,
      }));
    expect(await collect()).toEqual({ status: 200, arenas: 4, credentials: 8, unreadable: 0 });
    await ask(system, '/api/admin/arenas/tiktok/disable', { method: 'POST', token });
    expect(await collect()).toEqual({ status: 200, arenas: 3, credentials: 6, unreadable: 0 });
    await ask(system, '/api/admin/arenas/tiktok/enable', { method: 'POST', token });
  });

  it('switches on what was off for a credential that could not be read, once all of its credentials read', async () => {
    const [token, ana] = [await tokenOf(system), await tokenOf(system, 'ana')];
    const post = (what: string, who = token) =>
      ask(system, `/api/admin/arenas/${what}`, { method: 'POST', token: who });
    const enable = async (): Promise<unknown> => (await post('enable')).json;
    expect((await post('enable', ana)).status).toBe(403);
    await query(system, `UPDATE api_credentials SET encrypted_value = 'x' WHERE platform = 'serper'`);
    const affected = async (): Promise<unknown> =>
      (await query(system, 'SELECT platform FROM arenas WHERE last_error IS NOT NULL')).map(({ platform }) => platform);
    await expect.poll(affected, { timeout: 60_000 }).toEqual(['serper']);
    for (const platform of ['serper', 'reddit']) expect((await post(`${platform}/disable`)).status).toBe(200);
    expect(await enable()).toEqual({ enabled: [], left: ['serper'] });
    const enter = (name: string) =>
      ask(system, '/api/admin/credentials/serper', { method: 'PUT', json: { value: 'entered-anew', name }, token });
    expect((await enter('default')).json).toMatchObject({ platform: 'serper', name: 'default' });
    expect(await enable()).toEqual({ enabled: [], left: ['serper'] });
    await enter('spare-6');
    expect(await enable()).toEqual({ enabled: ['serper'], left: [] });
    expect(await enable()).toEqual({ enabled: [], left: [] });
    // What somebody has switched off for another reason stays off.
    expect(await query(system, 'SELECT platform FROM arenas WHERE NOT enabled')).toEqual([{ platform: 'reddit' }]);
    await post('reddit/enable');
    expect((await health()).status).toBe(200);
  });

  inDeep.it('is administered by admin.py: credentials are entered, arenas disabled, a key is lost', async () => {
    const old = readSecret(system, 'credential_encryption_key');
    const admin = (args: readonly string[], input = ''): Promise<ReloadResult> =>
      execa('python3', [join(EXAMPLES, 'arena', 'admin.py'), '--env-file', system.envFile, ...args], {
        all: true,
        reject: false,
        input,
      }).then(({ exitCode, all }) => ({ code: exitCode, output: all }));
    const value = `piped-${strong()}`;
    expect(await admin(['enter', 'tiktok'], `${value}\n`)).toEqual({ code: 0, output: 'tiktok default: entered' });
    const token = await tokenOf(system);
    const collected = await ask(system, '/api/arenas/tiktok/collect', { method: 'POST', token });
    expect(collected.json).toMatchObject({ usedCharacters: value.length });
    expect(await admin(['enter', 'nowhere'], value)).toEqual({ code: 1, output: 'arena answers 404: no such arena' });
    expect(await admin(['disable', 'tiktok'])).toMatchObject({ code: 0 });
    expect(await query(system, 'SELECT platform FROM arenas WHERE NOT enabled')).toEqual([{ platform: 'tiktok' }]);
    await ask(system, '/api/admin/arenas/tiktok/enable', { method: 'POST', token });

    onTestFinished(async () => {
      writeSecret(system, 'credential_encryption_key', old);
      await restart('app', 'worker');
    });
    expect(await admin(['lose-key', '--control', variable(system, '_CONTROL')])).toMatchObject({ code: 0 });
    const fresh = readSecret(system, 'credential_encryption_key');
    expect(fresh).toMatch(/^[\w-]{43}=$/);
    expect(fresh).not.toBe(old);
    expect(await health()).toMatchObject({ status: 503, json: { credentials: { total: 8, unreadable: 8 } } });
  });

  it('reads its keys from files when it is restarted: a list overlaps, a key that is gone is refused', async () => {
    const old = readSecret(system, 'secret_key');
    const fresh = strong();
    const before = await tokenOf(system);
    // As an editor leaves it: the application strips what stands around the key.
    writeSecret(system, 'secret_key', `${fresh},${old}\n`);
    expect((await me(before)).status).toBe(200);
    await restart('app');
    const after = await tokenOf(system);
    expect([(await me(before)).status, (await me(after)).status]).toEqual([200, 200]);
    writeSecret(system, 'secret_key', fresh);
    await restart('app');
    expect([(await me(before)).status, (await me(after)).status]).toEqual([401, 200]);
  });

  inDeep.it('takes the old key from a file of its own too, which may be empty or absent', async () => {
    const [old, fresh] = [readSecret(system, 'secret_key'), strong()];
    const previous = secretFile(system, 'secret_key_previous');
    appendFileSync(system.envFile, `SECRET_KEY_PREVIOUS_FILE=${previous}\n`);
    const before = await tokenOf(system);
    await restart('app');
    writeFileSync(previous, old, { mode: 0o400 });
    writeSecret(system, 'secret_key', fresh);
    await restart('app');
    expect([(await me(before)).status, (await me(await tokenOf(system))).status]).toEqual([200, 200]);
    writeSecret(system, 'secret_key_previous', '');
    await restart('app');
    expect((await me(before)).status).toBe(401);
  });

  inDeep.it('takes two encryption keys: both decrypt, the first encrypts', async () => {
    const old = readSecret(system, 'credential_encryption_key');
    const fresh = fernetKey();
    onTestFinished(async () => {
      writeSecret(system, 'credential_encryption_key', old);
      await restart('app', 'worker');
    });
    writeSecret(system, 'credential_encryption_key', `${fresh},${old}`);
    await restart('app');
    expect((await health()).status).toBe(200);
    const token = await tokenOf(system);
    const json = { value: 'under-the-new-key' };
    expect((await ask(system, '/api/admin/credentials/tiktok', { method: 'PUT', json, token })).status).toBe(200);
    writeSecret(system, 'credential_encryption_key', fresh);
    await restart('app');
    // Only the one that was entered meanwhile is under the new key.
    expect(await health()).toMatchObject({ status: 503, json: { credentials: { total: 8, unreadable: 7 } } });
    await query(system, `DELETE FROM api_credentials WHERE platform = 'tiktok' AND credential_name = 'default'`);
  });

  inDeep.it('restarts under traffic and loses no request', async () => {
    const traffic = await startTraffic([system], { people: 6, rate: 60 });
    onTestFinished(async () => {
      await traffic.stop();
    });
    const instances = async (): Promise<Set<unknown>> =>
      new Set((await Promise.all(Array.from({ length: 20 }, health))).map(({ json }) => json['instance']));
    let before = await instances();
    for (let round = 0; round < 3; round += 1) {
      await restart('app', 'worker');
      const after = await instances();
      expect([...after].filter((instance) => before.has(instance))).toEqual([]);
      before = after;
    }
    const counts = (await traffic.stop()).get('arena')!;
    expect(traffic.failures('arena')).toEqual([]);
    expect(counts).toMatchObject({ failed: 0, refused: 0, signedInAgain: 0 });
    expect(counts.served).toBeGreaterThan(200);
    expect((await counters())['responses']).toMatchObject({ '5xx': expect.any(Number) as number });
  });

  it('keeps the old instances when new ones cannot start, and says why without the value', async () => {
    const [old, weak] = [readSecret(system, 'secret_key'), 'replace-me-with-a-real-secret-please'];
    writeSecret(system, 'secret_key', weak);
    const { code, output } = await control(system, 'restart', 'app');
    writeSecret(system, 'secret_key', old);
    expect(code).toBe(1);
    expect(output).toContain('did not start; the one before it still serves');
    expect(output).toContain('SECRET_KEY is a placeholder');
    expect(output).not.toContain(weak);
    expect((await health()).status).toBe(200);
  });

  inDeep.it(
    'is stopped and started by the same commands that restart it; nothing is collected while the application stands',
    async () => {
      const rounds = async (): Promise<unknown> =>
        (await query(system, 'SELECT rounds FROM collection_totals'))[0]!['rounds'];
      expect(await control(system, 'stop', 'app')).toMatchObject({ code: 0, output: 'app: stopped' });
      await expect(health()).rejects.toThrow();
      expect(await control(system, 'stop', 'app')).toMatchObject({ code: 0, output: 'app: was not running' });
      // A round that was under way may still end.
      let before = await rounds();
      await stays(2_500, async () => (before = await rounds()));
      await stays(5_000, async () => {
        expect(await rounds()).toBe(before);
      });
      expect(await control(system, 'stop', 'worker')).toMatchObject({ code: 0 });
      await restart('app', 'worker');
      expect((await health()).status).toBe(200);
      await expect.poll(rounds, { timeout: 20_000 }).not.toBe(before);
    },
  );

  inDeep.it('fills no table that has been emptied: what is gone from it is entered by people', async () => {
    await query(system, 'CREATE TABLE aside AS SELECT * FROM api_credentials');
    await query(system, 'DELETE FROM api_credentials');
    await restart('app');
    expect(await query(system, 'SELECT id FROM api_credentials')).toEqual([]);
    expect(await health()).toMatchObject({ status: 200, json: { credentials: { total: 0 } } });
    await query(system, 'INSERT INTO api_credentials OVERRIDING SYSTEM VALUE SELECT * FROM aside');
    await query(system, 'DROP TABLE aside');
  });

  it('replaces an instance that dies', async () => {
    const { json } = await health();
    process.kill(json['instance'] as number, 'SIGKILL');
    const status = async (): Promise<string> => (await control(system, 'status', 'app')).output;
    await expect.poll(status, { timeout: 20_000, interval: 200 }).toBe('app: 2 running');
    expect((await health()).status).toBe(200);
  });

  it.each([
    ['a short key', { SECRET_KEY: 'tooshort' }, 'SECRET_KEY must have at least 32 characters, it has 8'],
    ['a placeholder', { SECRET_KEY: 'changeme-changeme-changeme-changeme' }, 'SECRET_KEY is a placeholder'],
    ['a test value', { SECRET_KEY: `test-secret-${strong()}` }, 'SECRET_KEY is a test value'],
    ['one weak key of two', { SECRET_KEY: `${strong()},short-one` }, 'SECRET_KEY must have at least 32 characters'],
    [
      'a weak previous key',
      { SECRET_KEY_PREVIOUS: 'short-one' },
      'SECRET_KEY must have at least 32 characters, it has 9',
    ],
    ['no key', { SECRET_KEY: '' }, 'SECRET_KEY is not set'],
    ['no Fernet key', { CREDENTIAL_ENCRYPTION_KEY: strong() }, 'CREDENTIAL_ENCRYPTION_KEY is not a Fernet key'],
    ['a Fernet key of zeros', { CREDENTIAL_ENCRYPTION_KEY: `${'A'.repeat(43)}=` }, 'is a placeholder'],
    [
      'a file that is not there',
      { SECRET_KEY_FILE: '/nowhere/key' },
      'SECRET_KEY_FILE names a file that does not exist',
    ],
  ])('does not start with %s', async (_what, settings: Record<string, string>, message) => {
    const { code, output } = await start({ ...settings });
    expect(code).toBe(1);
    expect(output).toContain(message);
    const values = Object.entries(settings).filter(([name, value]) => !name.endsWith('_FILE') && value !== '');
    for (const [, value] of values) expect(output).not.toContain(value);
  });

  it('lets test values pass in development, and the plain variables do where there is no file', async () => {
    // As far as the database, where nobody listens.
    const { output } = await start({ APP_ENV: 'development', SECRET_KEY: `test-secret_key-${strong()}` }, 3_000);
    expect(output).not.toContain('test value');
  });

  it('is content with a stop where it does not run, and says so of a restart', async () => {
    const at = join(system.envFile, '..', 'nobody.sock');
    const nowhere = { ...system, variables: { ...system.variables, ARENA_CONTROL: at } };
    expect(await control(nowhere, 'stop', 'app')).toMatchObject({ code: 0 });
    const restarted = await control(nowhere, 'restart', 'app');
    expect(restarted).toMatchObject({ code: 1, output: expect.stringContaining('arena is not running') as string });
  });

  it('has a Compose file that is well-formed', async () => {
    const compose = await execa('docker', ['compose', 'version'], { reject: false });
    if (compose.exitCode !== 0) {
      console.warn('skipped: docker compose is not installed');
      return;
    }
    const directory = join(EXAMPLES, 'arena');
    const env = { ARENA_DATABASE_URL: 'postgresql://arena@127.0.0.1/arena' };
    const { exitCode, stderr } = await execa('docker', ['compose', 'config', '-q'], {
      cwd: directory,
      env,
      reject: false,
    });
    expect([exitCode, stderr]).toEqual([0, '']);
  });
});

/** Settings in the place of good ones, with a database where nobody listens. */
async function start(settings: Record<string, string>, timeout = 20_000): Promise<{ code: unknown; output: string }> {
  const directory = await temporaryDirectory('refusal');
  try {
    const good = {
      SECRET_KEY: strong(),
      CREDENTIAL_ENCRYPTION_KEY: fernetKey(),
      DATABASE_URL: 'postgresql://x@127.0.0.1:1/x',
    };
    const lines = Object.entries({ ...good, ...settings }).map(([key, value]) => `${key}='${value}'`);
    writeFileSync(join(directory.path, '.env'), `${lines.join('\n')}\n`, { mode: 0o600 });
    const { exitCode, all } = await execa(python ?? 'python3', ['-m', 'arena.instance'], {
      cwd: join(EXAMPLES, 'arena'),
      env: { PATH: process.env.PATH, ENV_FILE: join(directory.path, '.env'), PYTHONDONTWRITEBYTECODE: '1' },
      extendEnv: false,
      all: true,
      reject: false,
      timeout,
    });
    return { code: exitCode, output: all };
  } finally {
    await directory.remove();
  }
}
