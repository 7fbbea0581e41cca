/**
 * Whatever the world repeats (bodies, headers, cookies, database errors, connection strings, a program's output), none of it
 * stands in a summary, an error or an evidence.
 */
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { passConsecutively } from '../../src/checks/consecutive.js';
import { watchMonitors } from '../../src/checks/monitor.js';
import { proveOldRefused } from '../../src/checks/proof.js';
import { countSessions, revokeSessions } from '../../src/checks/sessions.js';
import type { PlannedProof } from '../../src/domain/plan.js';
import { proofSpec } from '../../src/domain/specs/secret.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { freshDatabase } from '../support/servers.js';
import { contextWith } from './contexts.js';
import { bodyOf, deadUrl, serve } from './local-server.js';
import { planned, plannedMonitor } from './planned.js';

const PLANTED = {
  body: 'planted-body-a81f33',
  header: 'planted-header-b72e44',
  cookie: 'planted-cookie-c63d55',
  input: 'planted-input-d54c66!/#',
  database: 'planted-database-e45b77',
  /** Never met by this process as a secret: only described or left out, not redacted. */
  row: 'planted-row-7c19dd',
  old: 'planted-old-f36a88-0123456789',
  current: 'planted-current-927b99-0123456789',
  output: 'planted-output-185caa',
};
const everything: string[] = [];
let world = '';
let url: string;
let variables: Record<string, string>;

beforeAll(async () => {
  ({ url } = await serve((request, response) => {
    void bodyOf(request).then((body) => {
      response.setHeader('X-Token', PLANTED.header);
      response.setHeader('Set-Cookie', `sid=${PLANTED.cookie}`);
      const presented = JSON.stringify([request.headers, request.url, body]);
      response.statusCode = request.url?.startsWith('/down') ? 500 : 200;
      const text = JSON.stringify({ state: PLANTED.body, token: PLANTED.body, presented });
      world += text + PLANTED.header + PLANTED.cookie;
      response.end(text);
    });
  }));
  const database = await freshDatabase('planted');
  const wrong = new URL(database.url);
  wrong.password = PLANTED.database;
  wrong.username = 'nobody';
  variables = {
    INPUT: PLANTED.input,
    APP: database.url,
    WRONG: wrong.href,
    MALFORMED: `postgres://app:${PLANTED.database} x@db`,
    DEAD: `postgres://app:${PLANTED.database}@127.0.0.1:9/app`,
  };
});

afterAll(() => expect(everything.length).toBeGreaterThan(15));

/** Everything that a promise comes to, as the widest print of it. */
async function record(promise: Promise<unknown>): Promise<void> {
  const outcome: unknown = await promise.catch((error: unknown) => error);
  const text = [
    inspect(outcome, { depth: 10, showHidden: true }),
    JSON.stringify(outcome),
    outcome instanceof Error ? `${outcome.message} ${String(outcome.stack)}` : '',
  ].join('\n');
  everything.push(text);
  for (const value of Object.values(PLANTED)) {
    for (const form of [value, encodeURIComponent(value), Buffer.from(value).toString('base64').replace(/=+$/, '')]) {
      expect(text).not.toContain(form);
    }
  }
}

const once = { passes: 1, every: '10ms', within: '300ms' };
const inputs = { word: { env: 'INPUT' } };
const capture = { body: 'json:/token', header: 'header:x-token', cookie: 'cookie:sid' };
const login = () => ({ name: 'log in', method: 'POST', url, json: { password: '${inputs.word}' }, capture });

test('checks', async () => {
  const context = contextWith(variables);
  const pass = (check: Parameters<typeof passConsecutively>[0]) => record(passConsecutively(check, context));
  const dead = await deadUrl();
  const carry = { headers: { 'X-Key': '${inputs.word}', Authorization: 'Bearer ${captured.body}' } };
  const next = (address: string, more: object = {}) => ({ name: 'next', url: address, ...carry, ...more });
  const flow = (...steps: object[]) => planned('http-flow', { inputs, steps: [login(), ...steps], ...once });
  const sql = (env: string, query: string, expect: object = { value: 1 }) =>
    planned('sql', { database: { env }, query, expect, ...once });
  await pass(planned('http', { url, expect: { json: { '/state': 'ok' } }, ...once }));
  await pass(planned('http', { url, ...once }));
  await pass(flow(next(`${url}/\${captured.header}?k=\${inputs.word}`)));
  await pass(flow(next(`${url}/down/\${captured.cookie}`)));
  await pass(flow(next(`${dead}/\${captured.cookie}`)));
  await pass(flow(next(url, { headers: { 'X-Key': 'line\nbreak ${inputs.word}' } })));
  await pass(flow(next('${captured.body}/${inputs.word}')));
  await pass(flow(next(url, { capture: { none: 'json:/none' } })));
  for (const env of ['MALFORMED', 'WRONG', 'DEAD']) await pass(sql(env, 'SELECT 1'));
  await pass(sql('APP', `SELECT '${PLANTED.row}'`));
  await pass(sql('APP', `SELECT '${PLANTED.row}'::int`));
  await pass(sql('APP', `DO $$ BEGIN RAISE EXCEPTION 'the row holds ${PLANTED.row}'; END $$`));
  new SecretValue(PLANTED.output);
  const argv = ['sh', '-c', `printf '%s%s\\n' planted-output- 185caa; exit 1`];
  await pass(planned('command', { argv, ...once }));
});

test('monitors', async () => {
  const context = contextWith(variables);
  const watch = (measure: object, more: object = {}) =>
    record(
      watchMonitors(
        [plannedMonitor('watched', { type: 'counter', measure, every: '10ms', maximumIncrease: 0 }, more)],
        { until: Date.now() + 100, context },
      ),
    );
  await watch({ type: 'http', url, json: '/state', headers: { 'X-Key': PLANTED.header } });
  const query = `SELECT '${PLANTED.row}'::int`;
  await watch(
    { type: 'sql', database: 'app', query },
    { measure: { type: 'sql', database: { env: 'WRONG' }, query, timeout: '1s' } },
  );
  await watch(
    { type: 'sql', database: 'app', query },
    { measure: { type: 'sql', database: { env: 'APP' }, query, timeout: '1s' } },
  );
});

test('proofs', async () => {
  const [old, current] = [new SecretValue(PLANTED.old), new SecretValue(PLANTED.current)];
  const prove = (spec: object) => {
    const flow = { ...planned('http-flow', { inputs, steps: [login()] }), name: 'sign-in' };
    const proof = { ...proofSpec.parse(spec), flow } as PlannedProof;
    return record(proveOldRefused(proof, { old, current, context: contextWith(variables) }));
  };
  const request = { url: `${url}/\${captured.body}`, headers: { 'X-Key': '${captured.header}' } };
  await prove({ type: 'signed-cookie', login: 'sign-in', cookie: 'sid', request });
  await prove({ type: 'jwt', login: 'sign-in', capture: 'body', request });
  await prove({ type: 'value', request: { url: `${url}/\${value}`, json: { key: '${value}' } } });
  await prove({ type: 'value', request: { url: `${url}/down`, form: { key: '${value}' } } });
});

test('sessions', async () => {
  const context = contextWith(variables);
  const failing = `SELECT '${PLANTED.row}'::int`;
  await record(countSessions({ env: 'APP' }, failing, context));
  await record(countSessions({ env: 'WRONG' }, 'SELECT 1', context));
  await record(revokeSessions({ env: 'APP' }, { count: 'SELECT 1', revoke: failing }, context));
  await record(revokeSessions({ env: 'MALFORMED' }, { count: 'SELECT 1', revoke: failing }, context));
});

test('the values were really there to be repeated', () => {
  const { body, header, cookie, current } = PLANTED;
  for (const value of [body, header, cookie, current]) expect(world).toContain(value);
});
