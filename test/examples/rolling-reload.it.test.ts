import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { ExampleSystem } from '../../src/demo/systems.js';
import type { Traffic, TrafficOptions } from '../../src/demo/traffic.js';
import { startTraffic } from '../../src/demo/traffic.js';
import { ask, readSetting, reload, reloadBy, runningSystem, variable, writeSetting } from './support/running-system.js';
import { inDeep } from '../support/deep.js';
import { goesOn, stays } from '../support/meanwhile.js';

const strong = (): string => randomBytes(32).toString('hex');

// A reload takes a second; on a machine that runs everything else at the same time, ten.
describe('a rolling reload', { timeout: 240_000 }, () => {
  let system: ExampleSystem;
  const traffic = async (options: TrafficOptions): Promise<Traffic> => {
    const started = await startTraffic([system], options);
    onTestFinished(async () => {
      await started.stop();
    });
    return started;
  };
  const instances = async (): Promise<Set<unknown>> => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(system, '/api/health')));
    return new Set(answers.map(({ json }) => json.instance));
  };

  beforeAll(async () => {
    system = await runningSystem('mgmt-vibe');
  });

  inDeep.it('replaces all instances five times under traffic and loses no request', async () => {
    const people = await traffic({ people: 8, rate: 100 });
    let before = await instances();
    expect(before.size).toBe(2);
    for (let round = 0; round < 5; round += 1) {
      expect(await reload(system)).toMatchObject({ code: 0 });
      const after = await instances();
      expect(after.size).toBe(2);
      // Not one of the old instances answers once the reload says that it is done.
      expect([...after].filter((instance) => before.has(instance))).toEqual([]);
      before = after;
    }
    const counts = (await people.stop()).get('mgmt-vibe')!;
    expect(people.failures('mgmt-vibe')).toEqual([]);
    expect(counts).toMatchObject({ failed: 0, refused: 0, signedInAgain: 0 });
    expect(counts.served).toBe(counts.requests);
    expect(counts.served).toBeGreaterThan(300);
    expect(counts.writes).toBeGreaterThan(30);
  });

  inDeep.it('logs nobody out while the secret changes in three steps', async () => {
    const people = await traffic({ people: 8, rate: 60 });
    const [old, next] = [readSetting(system, 'SESSION_SECRET'), strong()];
    for (const shown of [`${old},${next}`, `${next},${old}`]) {
      writeSetting(system, 'SESSION_SECRET', shown);
      expect(await reload(system)).toMatchObject({ code: 0 });
    }
    // Cookies live for ten seconds, so after that none is left under the old secret.
    await stays(11_000, () => {
      expect(people.counts('mgmt-vibe')).toMatchObject({ failed: 0, refused: 0, signedInAgain: 0 });
    });
    writeSetting(system, 'SESSION_SECRET', next);
    expect(await reload(system)).toMatchObject({ code: 0 });
    const counts = (await people.stop()).get('mgmt-vibe')!;
    expect(counts).toMatchObject({ failed: 0, refused: 0, signedInAgain: 0 });
    expect(counts.served).toBeGreaterThan(500);
  });

  it('finishes a request that was under way when the instances changed, and then closes its connection', async () => {
    const before = await instances();
    const slow = createConnection({ host: '127.0.0.1', port: Number(new URL(system.url).port) });
    onTestFinished(() => void slow.destroy());
    let answer = '';
    slow.setEncoding('utf8').on('data', (text: string) => (answer += text));
    slow.write('GET /api/health HTTP/1.1\r\nHost: x\r\n');
    const reloading = reload(system);
    // Headers go on arriving, slowly, until no old instance takes new connections any more.
    do {
      slow.write('X-Slow: yes\r\n');
      await sleep(100);
    } while ([...(await instances())].some((instance) => before.has(instance)));
    slow.write('\r\n');
    expect(await reloading).toMatchObject({ code: 0 });
    expect(answer).toContain('HTTP/1.1 200 OK');
    expect(answer).toMatch(/^Connection: close/im);
    const instance = (JSON.parse(answer.slice(answer.indexOf('{'))) as { instance: number }).instance;
    expect([...before]).toContain(instance);
  });

  it('that cannot start the new instances leaves the old ones serving, and says why', async () => {
    const people = await traffic({ people: 4, rate: 40 });
    const before = await instances();
    const good = readSetting(system, 'SESSION_SECRET');
    writeSetting(system, 'SESSION_SECRET', 'too-short');
    const { code, output } = await reload(system);
    expect(code).toBe(1);
    expect(output).toContain('SESSION_SECRET (entry 1) must have at least 32 characters');
    expect(output).not.toContain('too-short');
    expect(await instances()).toEqual(before);
    writeSetting(system, 'SESSION_SECRET', good);
    expect(await reload(system)).toMatchObject({ code: 0 });
    expect((await people.stop()).get('mgmt-vibe')).toMatchObject({ failed: 0, refused: 0 });
  });

  inDeep.it('counts for each of several callers only if the settings were read after they asked', async () => {
    const before = (await ask(system, '/api/health')).json.generation as number;
    const first = reload(system);
    await goesOn(first, 300);
    writeSetting(system, 'SESSION_MAX_AGE_SECONDS', '3600');
    const second = reload(system);
    const results = await Promise.all([first, second]);
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    const login = await fetch(`${system.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'smoke', password: system.password.reveal() }),
    });
    await login.arrayBuffer();
    const expires = new Date(/Expires=([^;]+)/.exec(login.headers.getSetCookie()[0] ?? '')?.[1] ?? 0).getTime();
    expect(expires - Date.now()).toBeGreaterThan(3_000_000);
    expect((await ask(system, '/api/health')).json.generation).toBeGreaterThan(before);
  });

  inDeep.it('starts another instance in the place of one that was killed', async () => {
    const [victim] = await instances();
    process.kill(victim as number, 'SIGKILL');
    await expect
      .poll(async () => [...(await instances())].filter((pid) => pid !== victim).length, { timeout: 30_000 })
      .toBe(2);
  });

  it('signals no stranger: a file left by a crash is told from a running application', async () => {
    const pidFile = variable(system, '_PID_FILE');
    const stale = `${pidFile}.stale`;
    const bystander = execa('sleep', ['60'], { reject: false });
    onTestFinished(() => void bystander.kill('SIGKILL'));
    const state = JSON.parse(readFileSync(`${pidFile}.state`, 'utf8')) as Record<string, unknown>;
    writeFileSync(stale, `${bystander.pid ?? 0}\n`);
    writeFileSync(`${stale}.state`, JSON.stringify({ ...state, pid: bystander.pid }));
    const { code, output } = await reloadBy(stale);
    expect(code).toBe(1);
    expect(output).toContain('is not this application: it is not running');
    expect(bystander.exitCode).toBe(null);
  });

  it('is refused where nothing runs, or without a file', async () => {
    expect(await reloadBy(`${variable(system, '_PID_FILE')}.nowhere`)).toMatchObject({ code: 1 });
    expect(await reloadBy('')).toMatchObject({ code: 2 });
  });

  it('is no longer possible once the primary is gone, and its instances went with it', async () => {
    const pids = await instances();
    process.kill(system.pid, 'SIGKILL');
    await system.exited;
    const alive = (): unknown[] =>
      [...pids].filter((pid) => {
        try {
          return process.kill(pid as number, 0);
        } catch {
          return false;
        }
      });
    await expect.poll(alive, { timeout: 30_000 }).toEqual([]);
    expect((await reload(system)).output).toContain('it is not running');
  });
});
