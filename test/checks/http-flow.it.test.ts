import session from 'express-session';
import express from 'express';
import { beforeAll, expect, test } from 'vitest';
import { askHttpFlow } from '../../src/checks/http-flow.js';
import { contextWith } from './contexts.js';
import { serve } from './local-server.js';
import { planned } from './planned.js';

declare module 'express-session' {
  interface SessionData {
    user: string;
  }
}

const PASSWORD = 'a long smoke password';
let url: string;

beforeAll(async () => {
  const app = express();
  app.use(express.json());
  app.use(session({ secret: 'a-secret-of-the-test', resave: false, saveUninitialized: false }));
  app.post('/login', (request, response) => {
    const { password } = request.body as { password?: string };
    if (password !== PASSWORD) return void response.status(401).json({ error: `wrong: ${String(password)}` });
    request.session.user = 'smoke';
    response.setHeader('X-Csrf', 'csrf-token-12345');
    response
      .append('Set-Cookie', '=; Domain=elsewhere.example; Expires=never')
      .json({ user: { id: 42, name: 'smoke' }, empty: '' });
  });
  app.get('/users/:id', (request, response) => {
    if (!request.session.user) return void response.status(401).end();
    if (request.header('X-Csrf') !== 'csrf-token-12345') return void response.status(403).end();
    response.json({ id: request.params.id });
  });
  ({ url } = await serve(app));
});

const login = { name: 'log in', method: 'POST', url: '', json: { password: '${inputs.password}' } };
const variables = { SMOKE_PASSWORD: PASSWORD };

function flow(capture: Record<string, string>, ...steps: object[]) {
  const inputs = { password: { env: 'SMOKE_PASSWORD' } };
  return planned('http-flow', { inputs, steps: [{ ...login, url: `${url}/login`, capture }, ...steps] });
}

const read = () => ({
  name: 'read',
  url: `${url}/users/\${captured.id}`,
  headers: { 'X-Csrf': '${captured.csrf}' },
  expect: { json: { '/id': '42' } },
});

test('cookies and captured values are carried from step to step', async () => {
  const check = flow({ id: 'json:/user/id', csrf: 'header:X-CSRF' }, read());
  const answer = await askHttpFlow(check, contextWith(variables));
  expect(answer).toMatchObject({ passed: true, summary: 'log in 200, read 200' });
});

test('what was captured is handed out as secret values', async () => {
  const check = flow({ id: 'json:/user/id', session: 'cookie:connect.sid' });
  const { captured } = await askHttpFlow(check, contextWith(variables));
  expect(captured?.get('id')?.reveal()).toBe('42');
  expect(captured?.get('session')?.reveal()).toMatch(/^s%3A/);
  expect(JSON.stringify([...(captured ?? [])])).not.toContain('s%3A');
});

test('every run signs in anew: no cookie outlives it', async () => {
  const context = contextWith(variables);
  await askHttpFlow(flow({}), context);
  const only = planned('http-flow', { steps: [{ name: 'read', url: `${url}/users/1` }] });
  expect((await askHttpFlow(only, context)).summary).toContain('step "read"');
  expect((await askHttpFlow(only, context)).passed).toBe(false);
});

test.each([
  ['json:/user/nobody', 'missing'],
  ['json:/empty', 'missing'],
  ['json:/user', 'an object, not one value'],
  ['header:X-None', 'missing'],
  ['cookie:none', 'missing'],
])('a capture of %s that is not there fails with the name of the step', async (source, why) => {
  const answer = await askHttpFlow(flow({ token: source }, read()), contextWith(variables));
  expect(answer.passed).toBe(false);
  expect(answer.summary).toContain(`step "log in": POST ${url}/login answered 200, but token (${source}) is ${why}`);
});

test('a failing step is named, with those that went well before it', async () => {
  const answer = await askHttpFlow(
    flow({ id: 'json:/user/id' }, { name: 'read', url: `${url}/users/\${captured.id}` }),
    contextWith(variables),
  );
  expect(answer.summary).toBe(
    `step "read": GET ${url}/users/\${captured.id} answered 403, expected 2xx (after log in 200)`,
  );
});

test('a placeholder that nothing was captured for is named, and the request not made', async () => {
  const answer = await askHttpFlow(flow({}, read()), contextWith(variables));
  expect(answer.summary).toContain('nothing is known to fill in for ${captured.id}');
});

test('a credential that the worker lacks is an answer that names the variable', async () => {
  const answer = await askHttpFlow(flow({}), contextWith());
  expect(answer).toMatchObject({ passed: false, summary: 'inputs: variable SMOKE_PASSWORD is not set' });
});

test.each(['header:location', 'json:/next'])(
  "an address that a reply names (%s) gets nothing of ours unless it is one of the flow's own, or the inventory says so",
  async (source) => {
    const seen: string[] = [];
    const other = await serve((request, response) => {
      seen.push(`${request.headers.authorization ?? ''} ${request.headers.cookie ?? ''}`);
      response.end();
    });
    const own = await serve((request, response) => {
      const next = request.url === '/away' ? `${other.url}/collect` : `${own.url}/next`;
      response.setHeader('Location', next);
      response.end(JSON.stringify({ next }));
    });
    const inputs = { password: { env: 'SMOKE_PASSWORD' } };
    const headers = { Authorization: 'Bearer ${inputs.password}' };
    const check = (path: string, more: object = {}) =>
      planned('http-flow', {
        inputs,
        steps: [
          { name: 'log in', url: `${own.url}${path}`, capture: { next: source } },
          { name: 'follow', url: '${captured.next}', headers },
        ],
        ...more,
      });
    expect((await askHttpFlow(check('/here'), contextWith(variables))).passed).toBe(true);
    const answer = await askHttpFlow(check('/away'), contextWith(variables));
    expect(answer).toMatchObject({ passed: false });
    expect(answer.summary).toContain(`it leads to ${other.url}, where the inventory sends nothing`);
    expect(seen).toEqual([]);
    expect((await askHttpFlow(check('/away', { origins: [other.url] }), contextWith(variables))).passed).toBe(true);
    expect(seen).toEqual([`Bearer ${PASSWORD} `]);
  },
);
