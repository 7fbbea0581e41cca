import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { LARGEST_BODY, send } from '../../src/checks/http-client.js';
import { askHttp } from '../../src/checks/http.js';
import { contextWith } from './contexts.js';
import { bodyOf, deadUrl, serve } from './local-server.js';
import { planned } from './planned.js';

let url: string;
const connections = new Set<number>();

beforeAll(async () => {
  ({ url } = await serve((request, response) => {
    connections.add(request.socket.remotePort ?? 0);
    switch (request.url) {
      case '/health':
        return response.end('{"status":"ok","checks":[{"name":"db","ms":12}]}');
      case '/redirect':
        return response.writeHead(302, { Location: '/health' }).end();
      case '/large':
        return response.end(Buffer.alloc(LARGEST_BODY + 1, 'x'));
      case '/bomb':
        response.setHeader('Content-Encoding', 'gzip');
        return response.end(gzipSync(Buffer.alloc(LARGEST_BODY * 20, 'x')));
      case '/drip': {
        response.writeHead(200);
        const timer = setInterval(() => response.write('.'), 50);
        request.socket.once('close', () => clearInterval(timer));
        return;
      }
      case '/reset':
        return request.socket.destroy();
      case '/echo':
        return void bodyOf(request).then((body) => response.end(JSON.stringify({ headers: request.headers, body })));
      default:
        return response.writeHead(404).end();
    }
  }));
});
afterEach(() => vi.unstubAllEnvs());

const ask = (path: string, more: object = {}) => askHttp(planned('http', { url: url + path, ...more }), contextWith());

test('a good answer is told with method, address and status', async () => {
  expect(await ask('/health')).toEqual({ passed: true, summary: `GET ${url}/health answered 200` });
});

test('JSON is looked at by pointer', async () => {
  expect(await ask('/health', { expect: { json: { '/status': 'ok', '/checks/0/ms': { atMost: 50 } } } })).toMatchObject(
    {
      passed: true,
    },
  );
  const { summary } = await ask('/health', { expect: { json: { '/status': 'well' } } });
  expect(summary).toBe(`GET ${url}/health answered 200, but /status is "ok", expected "well"`);
});

test('text is looked for in the body', async () => {
  expect(await ask('/health', { expect: { contains: '"ok"' } })).toMatchObject({ passed: true });
  expect((await ask('/health', { expect: { contains: 'well' } })).summary).toContain('without the text "well"');
});

test('one status, several, or by default any 2xx', async () => {
  expect((await ask('/nowhere', { expect: { status: 404 } })).passed).toBe(true);
  expect((await ask('/nowhere', { expect: { status: [401, 404] } })).passed).toBe(true);
  expect((await ask('/nowhere')).summary).toBe(`GET ${url}/nowhere answered 404, expected 2xx`);
});

test('a redirect is not followed', async () => {
  expect((await ask('/redirect')).summary).toContain('answered 302, expected 2xx');
  expect((await ask('/redirect', { expect: { status: 302 } })).passed).toBe(true);
});

test.each(['/large', '/bomb'])('%s: an answer that is too large is not read', async (path) => {
  expect((await ask(path)).summary).toContain('answer larger than');
});

test('an answer that drips in does not outlive the time', async () => {
  const started = performance.now();
  expect((await ask('/drip', { timeout: '400ms' })).summary).toContain('no answer within 400ms');
  expect(performance.now() - started).toBeLessThan(20_000);
});

test('why there is no answer is told in words', async () => {
  const dead = await askHttp(planned('http', { url: await deadUrl() }), contextWith());
  expect(dead.summary).toMatch(/: connection refused$/);
  expect((await ask('/reset')).summary).toMatch(/: connection closed before an answer$/);
  const odd = await askHttp(planned('http', { url: 'localhost:3000' }), contextWith());
  expect(odd.summary).toContain('not an http:// or https:// URL');
});

test('JSON and forms are sent as such, and headers of one’s own win', async () => {
  const json = await ask('/echo', {
    method: 'POST',
    json: { a: [1, 'b'] },
    expect: { json: { '/headers/content-type': 'application/json', '/body': '{"a":[1,"b"]}' } },
  });
  expect(json).toMatchObject({ passed: true });
  const form = await ask('/echo', {
    method: 'POST',
    form: { a: 'x y', b: '&' },
    headers: { 'user-agent': 'probe' },
    expect: {
      json: {
        '/headers/content-type': 'application/x-www-form-urlencoded',
        '/headers/user-agent': 'probe',
        '/body': 'a=x+y&b=%26',
      },
    },
  });
  expect(form).toMatchObject({ passed: true });
});

test('every request takes a connection of its own, to meet every instance behind a balancer', async () => {
  connections.clear();
  for (let n = 0; n < 3; n += 1) await ask('/health');
  expect(connections.size).toBe(3);
});

test('a proxy configured for the way out is not asked for this machine’s own services', async () => {
  vi.stubEnv('HTTP_PROXY', await deadUrl());
  vi.stubEnv('http_proxy', await deadUrl());
  // Also where http:// may go through one.
  for (const plaintext of [undefined, 'allowed'])
    expect(await ask('/health', { ...(plaintext && { plaintext }) })).toMatchObject({ passed: true });
});

test('a credential goes to another host over https:// only, and nothing over http:// through a proxy, unless told', async () => {
  const seen: string[] = [];
  const proxy = await serve((request, response) => {
    seen.push(request.url ?? '');
    response.end('{}');
  });
  vi.stubEnv('http_proxy', proxy.url);
  const { signal } = contextWith({});
  const request = { method: 'GET', url: 'http://app.invalid/x', timeout: '2s' } as const;
  const secret = { ...request, headers: { Authorization: 'Bearer x' } };
  const session = { ...request, headers: { cookie: 'sid=x' } };
  for (const telling of [secret, session, { ...request, carriesSecret: true }])
    await expect(send(telling, signal)).rejects.toMatchObject({ code: 'credentials-in-clear-text' });
  await expect(send(request, signal)).rejects.toMatchObject({ code: 'no-answer' });
  expect(seen).toEqual([]);
  await expect(send({ ...secret, plaintext: 'allowed' }, signal)).resolves.toMatchObject({ status: 200 });
  expect(seen).toEqual(['http://app.invalid/x']);
});
