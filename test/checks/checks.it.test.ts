import { checkContract } from '../contracts/check.contract.js';
import { freshDatabase } from '../support/servers.js';
import { deadUrl, serve } from './local-server.js';
import { planned } from './planned.js';

const planted = ['planted-4f1d9a7c3b', 'plantedPassword!9'];

checkContract('http', async () => {
  const { url } = await serve((request, response) => {
    if (request.url === '/slow') return;
    response.setHeader('Set-Cookie', `sid=${planted[0] ?? ''}`);
    response.statusCode = request.url === '/down' ? 503 : 200;
    response.end(JSON.stringify({ status: planted[1], token: planted[0] }));
  });
  return {
    passing: planned('http', { url }),
    failing: planned('http', { url: `${url}/down` }),
    unaskable: planned('http', { url: await deadUrl() }),
    slow: planned('http', { url: `${url}/slow`, timeout: '300ms' }),
    patient: planned('http', { url: `${url}/slow`, timeout: '60s' }),
    leaking: planned('http', { url, expect: { json: { '/status': 'ok', '/token': { matches: '^x' } } } }),
    planted,
  };
});

checkContract('http-flow', async () => {
  const { url } = await serve((request, response) => {
    if (request.url === '/slow') return;
    const presented = request.headers.authorization ?? '';
    response.statusCode = request.url === '/down' ? 503 : 200;
    response.end(JSON.stringify({ token: planted[0], echo: presented, status: planted[1] }));
  });
  const inputs = { password: { env: 'SMOKE_PASSWORD' } };
  const login = { name: 'log in', url, method: 'POST', json: { password: '${inputs.password}' } };
  const capture = { token: 'json:/token' };
  const flow = (...steps: object[]) => planned('http-flow', { inputs, steps: [{ ...login, capture }, ...steps] });
  const bearer = { headers: { Authorization: 'Bearer ${captured.token}' } };
  return {
    passing: flow({ name: 'read', url, ...bearer, expect: { json: { '/echo': { matches: '^Bearer' } } } }),
    failing: flow({ name: 'read', url: `${url}/down`, ...bearer }),
    unaskable: flow({ name: 'read', url: await deadUrl() }),
    slow: flow({ name: 'read', url: `${url}/slow`, timeout: '300ms' }),
    patient: flow({ name: 'read', url: `${url}/slow`, timeout: '60s' }),
    leaking: flow({ name: 'read', url: `${url}/?key=\${captured.token}`, expect: { json: { '/status': 'ok' } } }),
    planted,
    variables: { SMOKE_PASSWORD: planted[1] ?? '' },
  };
});

checkContract('sql', async () => {
  const { url } = await freshDatabase('checks');
  const database = { env: 'APP_URL' };
  const sql = (query: string, expect: object, more: object = {}) =>
    planned('sql', { database, query, expect, ...more });
  return {
    passing: sql('SELECT count(*) FROM generate_series(1, 3)', { rows: 1, value: 3 }),
    failing: sql('SELECT 1', { value: 2 }),
    unaskable: planned('sql', { database: { env: 'DEAD_URL' }, query: 'SELECT 1', expect: {} }),
    slow: sql('SELECT pg_sleep(60)', {}, { timeout: '300ms' }),
    patient: sql('SELECT pg_sleep(60)', {}, { timeout: '60s' }),
    // PostgreSQL repeats the text in its message: invalid input syntax for type integer: "…".
    leaking: sql(`SELECT CAST('${planted.join(' ')}' AS integer)`, { value: 1 }),
    planted,
    variables: { APP_URL: url, DEAD_URL: `postgres://app:${planted[0] ?? ''}@127.0.0.1:9/app` },
  };
});

checkContract('command', () => {
  const script = (text: string, more: object = {}) => planned('command', { argv: ['sh', '-c', text], ...more });
  // The worker has met one as a secret; the other comes from a variable named in the inventory.
  process.env.KEYTURN_TEST_PLANTED = planted[1];
  return Promise.resolve({
    passing: script('echo well', { expect: { stdout: 'well' } }),
    failing: script('exit 1'),
    unaskable: planned('command', { argv: ['keyturn-no-such-program'] }),
    slow: script('sleep 60', { timeout: '300ms' }),
    patient: script('sleep 60', { timeout: '60s' }),
    leaking: script('echo "password is $KEYTURN_TEST_PLANTED" >&2; exit 1', { environment: ['KEYTURN_TEST_PLANTED'] }),
    planted,
  });
});
