import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ExampleName } from '../../src/demo/systems/blueprints.js';
import { startTraffic } from '../../src/demo/traffic.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { stays } from '../support/meanwhile.js';

interface Scripted {
  readonly name: ExampleName;
  readonly environment?: string;
  readonly url: string;
  readonly users: readonly string[];
  readonly password: SecretValue;
  readonly seen: string[];
  readonly bodies: [line: string, body: string][];
  /** What the answer says of its tokens besides. */
  expires: { expiresIn?: number };
  /** Milliseconds for an answer. */
  takes: number;
  readonly connections: () => Promise<number>;
  answer: (request: string) => number | 'hang up';
}

async function scripted(name: ExampleName, environment?: string): Promise<Scripted> {
  const server = createServer((request, response) => {
    const line = `${request.method ?? ''} ${request.url ?? ''}`;
    system.seen.push(line);
    const answer = system.answer(line);
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.once('end', () => body !== '' && system.bodies.push([line, body]));
    if (answer === 'hang up') return void request.socket.destroy();
    response.writeHead(answer, { 'content-type': 'application/json', 'set-cookie': 'sid=one; Path=/; HttpOnly' });
    const tokens = { accessToken: 'access', refreshToken: 'refresh', ...system.expires };
    const send = () => response.end(JSON.stringify(/login|refresh/.test(line) ? tokens : {}));
    if (system.takes === 0) send();
    else setTimeout(send, system.takes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const system: Scripted = {
    name,
    ...(environment !== undefined && { environment }),
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    users: ['ana', 'ben'],
    password: new SecretValue('a password for tests'),
    seen: [],
    bodies: [],
    expires: {},
    takes: 0,
    answer: () => 200,
    connections: () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count))),
  };
  return system;
}

describe('traffic', () => {
  it('counts every request once: served, refused or failed', async () => {
    const system = await scripted('mediavault');
    const traffic = await startTraffic([system], { people: 2, rate: 100 });
    await expect.poll(() => traffic.counts('mediavault').served, { timeout: 30_000 }).toBeGreaterThan(10);
    const before = traffic.mark('healthy').counts.get('mediavault')!;
    expect(before).toMatchObject({ failed: 0, refused: 0, signedInAgain: 0 });

    system.answer = (line) => (line.includes('/media') ? 503 : line.includes('/me') ? 'hang up' : 200);
    await expect.poll(() => traffic.counts('mediavault').failed, { timeout: 30_000 }).toBeGreaterThan(10);
    const counts = (await traffic.stop()).get('mediavault')!;
    expect(counts.requests).toBe(counts.served + counts.refused + counts.failed);
    expect(counts.requests).toBe(system.seen.length);
    expect(traffic.failures('mediavault').join('\n')).toMatch(/GET \/api\/media answered 503/);
    expect(traffic.failures('mediavault').join('\n')).toMatch(/GET \/api\/auth\/me: ECONNRESET/);
    const reasons = traffic.reasons('mediavault');
    expect([...reasons.keys()].sort()).toEqual([
      'GET /api/auth/me: ECONNRESET',
      'GET /api/media answered 503',
      'POST /api/media answered 503',
    ]);
    expect([...reasons.values()].reduce((sum, count) => sum + count, 0)).toBe(counts.failed);
    expect(traffic.failures('mediavault').length).toBeLessThanOrEqual(20);
    expect(traffic.marks.map(({ label }) => label)).toEqual(['healthy']);
  });

  it('lets people whose session is gone sign in again, once each', async () => {
    const system = await scripted('mediavault');
    const traffic = await startTraffic([system], { people: 2, rate: 50 });
    let refusals = 2;
    system.answer = (line) => (line.startsWith('GET') && refusals-- > 0 ? 401 : 200);
    await expect.poll(() => traffic.counts('mediavault').signedInAgain, { timeout: 30_000 }).toBe(2);
    await stays(200, () => {
      expect(traffic.counts('mediavault')).toMatchObject({ refused: 2, signedInAgain: 2, failed: 0 });
    });
    expect((await traffic.stop()).get('mediavault')).toMatchObject({ refused: 2, signedInAgain: 2, failed: 0 });
    const refused = [...traffic.reasons('mediavault')].map(([reason, count]) => [reason.split(' ').at(-1), count]);
    expect(refused.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(2);
    expect(new Set(refused.map(([status]) => status))).toEqual(new Set(['401']));
  });

  it('renews tokens before it asks for the password, and never sends a refresh token twice', async () => {
    const system = await scripted('hms');
    const traffic = await startTraffic([system], { people: 1, rate: 20 });
    const from = system.seen.length;
    let refusals = 2;
    // The first read and the refresh after it are refused: the secret has changed.
    system.answer = (line) => (!line.includes('login') && refusals-- > 0 ? 401 : 200);
    await expect.poll(() => traffic.counts('hms').signedInAgain, { timeout: 30_000 }).toBe(1);
    await traffic.stop();
    expect(system.seen.slice(from, from + 3)).toEqual([
      'GET /api/bookings',
      'POST /api/auth/refresh',
      'POST /api/auth/login',
    ]);
    expect(traffic.counts('hms')).toMatchObject({ refused: 2, signedInAgain: 1, failed: 0 });
  });

  it('keeps to its rate and its connections, and closes them all when it stops', async () => {
    const system = await scripted('mgmt-vibe');
    const traffic = await startTraffic([system], { people: 4, rate: 40 });
    await stays(1_000, async () => {
      expect(await system.connections()).toBeLessThanOrEqual(4);
    });
    const { requests } = (await traffic.stop()).get('mgmt-vibe')!;
    expect(requests).toBeGreaterThan(8);
    // 40 in the second, four logins, and what a late timer lets through.
    expect(requests).toBeLessThanOrEqual(54);
    await expect.poll(() => system.connections(), { timeout: 30_000 }).toBe(0);
    await stays(100, async () => {
      expect((await traffic.stop()).get('mgmt-vibe')!.requests).toBe(requests);
    });
  });

  it('renews tokens before they expire, so nothing is refused', async () => {
    const system = await scripted('messaging');
    system.expires = { expiresIn: 1 };
    const traffic = await startTraffic([system], { people: 1, rate: 10 });
    await expect.poll(() => system.seen.length).toBeGreaterThan(11);
    await traffic.stop();
    const [login, ...rest] = system.seen;
    expect(login).toBe('POST /api/auth/login');
    // Ten requests a second, and half a second is half a life: the sixth or so, where the twelfth would be due anyway.
    expect(rest.slice(0, 9)).toContain('POST /api/auth/refresh');
    expect(rest).not.toContain('POST /api/auth/login');
    const written = system.bodies.filter(([line]) => line === 'POST /api/messages').map(([, body]) => body);
    expect(written.length).toBeGreaterThan(0);
    for (const body of written) expect(body).toMatch(/^\{"to":"(ana|ben)","text":"ana \d+"\}$/);
  });

  it('measures its rate, and makes up for a slow spell of up to a second', async () => {
    const system = await scripted('messaging');
    const traffic = await startTraffic([system]);
    const began = Date.now();
    const passed = (many: number) => expect.poll(() => Date.now() - began).toBeGreaterThan(many * 1_000);
    await passed(1.5);
    system.takes = 400;
    await passed(2.3);
    system.takes = 0;
    await passed(4.3);
    await traffic.stop();
    const { seconds, average, lowest } = traffic.rate('messaging');
    expect(seconds).toBeGreaterThanOrEqual(4);
    expect(average).toBeGreaterThan(50);
    expect(average).toBeLessThan(65);
    expect(lowest).toBeLessThan(45);
    // What it was when it stopped.
    await stays(1_100, () => {
      expect(traffic.rate('messaging').seconds).toBe(seconds);
    });
  });

  it('tells two environments of one system apart', async () => {
    const [staging, production] = [await scripted('messaging', 'staging'), await scripted('messaging', 'production')];
    const alone = await scripted('hms', 'local');
    const traffic = await startTraffic([staging, production, alone], { people: 2, rate: 50 });
    production.answer = () => 503;
    await expect.poll(() => traffic.counts('messaging/production').failed, { timeout: 30_000 }).toBeGreaterThan(5);
    const counts = await traffic.stop();
    expect([...counts.keys()]).toEqual(['messaging/staging', 'messaging/production', 'hms']);
    expect(counts.get('messaging/staging')).toMatchObject({ failed: 0 });
    expect(traffic.counts('hms/local')).toEqual(traffic.counts('hms'));
    expect(() => traffic.counts('messaging')).toThrow('there is no traffic on messaging');
  });

  it('does not begin unless everybody can sign in', async () => {
    const system = await scripted('hms');
    system.answer = () => 503;
    await expect(startTraffic([system])).rejects.toMatchObject({ code: 'traffic-not-started' });
    await expect.poll(() => system.connections(), { timeout: 30_000 }).toBe(0);
  });
});
