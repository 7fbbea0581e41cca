import { createHmac, randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import express, { type Express } from 'express';
import session, { MemoryStore } from 'express-session';
import { describe, expect, test } from 'vitest';
import { proveOldRefused } from '../../src/checks/proof.js';
import { rehearseProof } from '../../src/checks/rehearsal.js';
import { seeWhoSigns } from '../../src/checks/signer.js';
import type { PlannedProof } from '../../src/domain/plan.js';
import { proofSpec } from '../../src/domain/specs/secret.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { contextWith, failureOf } from './contexts.js';
import { serve } from './local-server.js';
import { planned } from './planned.js';

const secret = () => new SecretValue(randomBytes(32).toString('hex'));
const context = contextWith();

function proofOf(spec: object, flow?: object): PlannedProof {
  return { ...proofSpec.parse(spec), ...(flow && { flow: { ...flow, name: 'sign-in' } }) } as PlannedProof;
}

/** One address for several instances, taking turns. */
async function balanced(instances: readonly RequestListener[]): Promise<string> {
  let turn = 0;
  const { url } = await serve((request, response) => {
    const instance = instances[turn % instances.length];
    turn += 1;
    instance?.(request, response);
  });
  return url;
}

describe('a signed cookie', () => {
  const store = new MemoryStore();
  // Every instance of every test listens to it.
  store.setMaxListeners(0);

  function instance(accepts: readonly SecretValue[]): Express {
    const app = express();
    const secrets = accepts.map((value) => value.reveal());
    app.use(session({ name: 'vibe.sid', secret: secrets, store, resave: false, saveUninitialized: false }));
    app.post('/login', (request, response) => {
      Object.assign(request.session, { user: 'smoke' });
      response.cookie('theme', 'dark').json({});
    });
    app.get('/me', (request, response) => {
      response.status('user' in request.session ? 200 : 401).json({ planted: 'planted-in-the-body' });
    });
    return app;
  }

  const cookieProof = (url: string, more: object = {}) =>
    proofOf(
      { type: 'signed-cookie', login: 'sign-in', cookie: 'vibe.sid', request: { url: `${url}/me` }, ...more },
      planned('http-flow', { steps: [{ name: 'log in', method: 'POST', url: `${url}/login` }] }),
    );

  test('made with the old value is refused, and the evidence says what was tried', async () => {
    const [old, current] = [secret(), secret()];
    const url = await balanced([instance([current])]);
    const evidence = await proveOldRefused(cookieProof(url), { old, current, context });
    expect(evidence.summary).toBe(
      `old value refused in 5 of 5 requests (401 ×5); current one accepted (200), a random one refused (401): GET ${url}/me`,
    );
    expect(evidence.facts).toMatchObject({ attempts: 5, refused: 5, answers: '401 ×5', control: 200, random: 401 });
  });

  test('still accepted by an application that takes a list is found out', async () => {
    const [old, current] = [secret(), secret()];
    const url = await balanced([instance([current, old])]);
    const error = await failureOf(proveOldRefused(cookieProof(url), { old, current, context }));
    expect(error).toMatchObject({ code: 'old-still-accepted', effect: 'none', retryable: false });
    expect(error.message).toContain('answered 200 to request 1 of 5');
  });

  test.each([0, 1, 2, 3])('still accepted by one of four instances (number %i) is found out', async (stale) => {
    const [old, current] = [secret(), secret()];
    const instances = [0, 1, 2, 3].map((n) => instance(n === stale ? [current, old] : [current]));
    const url = await balanced(instances);
    const error = await failureOf(proveOldRefused(cookieProof(url), { old, current, context }));
    expect(error.code).toBe('old-still-accepted');
  });

  test('an instance that knows only the old value makes the proof inconclusive: the current one is refused there', async () => {
    const [old, current] = [secret(), secret()];
    const url = await balanced([instance([current]), instance([current]), instance([old])]);
    expect((await failureOf(proveOldRefused(cookieProof(url), { old, current, context }))).code).toMatch(
      /^(?:proof-inconclusive|old-still-accepted)$/,
    );
  });

  test('an application that never took over the current value proves nothing', async () => {
    const [old, current] = [secret(), secret()];
    const url = await balanced([instance([old])]);
    const error = await failureOf(proveOldRefused(cookieProof(url), { old, current, context }));
    expect(error.code).toBe('proof-inconclusive');
    expect(error.message).toContain('the current value was refused (401)');
  });

  test('an address open to everybody proves nothing', async () => {
    const [old, current] = [secret(), secret()];
    const open = instance([current]).get('/public', (_, response) => void response.end());
    const url = await balanced([open]);
    const proof = cookieProof(url, { request: { url: `${url}/public` } });
    const error = await failureOf(proveOldRefused(proof, { old, current, context }));
    expect(error.code).toBe('proof-inconclusive');
    expect(error.message).toContain('a random value was accepted (200)');
  });

  test('a login that fails, a cookie that is not there or not signed prove nothing', async () => {
    const [old, current] = [secret(), secret()];
    const url = await balanced([instance([current])]);
    const failing = proofOf(
      { type: 'signed-cookie', login: 'sign-in', cookie: 'vibe.sid', request: { url } },
      planned('http-flow', { steps: [{ name: 'log in', url: `${url}/nowhere` }] }),
    );
    const cases = [failing, cookieProof(url, { cookie: 'other.sid' }), cookieProof(url, { cookie: 'theme' })];
    const messages: string[] = [];
    for (const proof of cases) {
      const error = await failureOf(proveOldRefused(proof, { old, current, context }));
      expect(error.code).toBe('proof-inconclusive');
      messages.push(error.message);
    }
    expect(messages[0]).toContain('sign-in did not sign in');
    expect(messages[1]).toContain('there is no cookie other.sid');
    expect(messages[2]).toContain('is not signed');
  });

  test('an application that stops answering proves nothing, and may be tried again', async () => {
    const [old, current] = [secret(), secret()];
    const app = instance([current]);
    let left = 4;
    const url = await balanced([
      (request, response) => {
        left -= 1;
        if (left < 0) request.socket.destroy();
        else app(request, response);
      },
    ]);
    const error = await failureOf(proveOldRefused(cookieProof(url), { old, current, context }));
    expect(error).toMatchObject({ code: 'proof-inconclusive', retryable: true });
  });

  test('refusals that are a lock-out of everybody prove nothing', async () => {
    const [old, current] = [secret(), secret()];
    const app = instance([current]);
    let refusals = 0;
    const url = await balanced([
      (request, response) => {
        response.once('finish', () => (refusals += response.statusCode === 401 ? 1 : 0));
        if (refusals < 3) app(request, response);
        else response.writeHead(401).end();
      },
    ]);
    const error = await failureOf(proveOldRefused(cookieProof(url), { old, current, context }));
    expect(error.message).toContain('tried again at the end, was refused (401)');
  });

  test('an application that answers 200 to everybody is told by its body', async () => {
    const [old, current] = [secret(), secret()];
    const app = instance([current]).get('/who', (request, response) => {
      response.json({ user: 'user' in request.session ? request.session.user : null });
    });
    const url = await balanced([app]);
    const request = { url: `${url}/who`, expect: { json: { '/user': 'smoke' } } };
    const evidence = await proveOldRefused(cookieProof(url, { request, refused: [200] }), { old, current, context });
    expect(evidence.facts).toMatchObject({ refused: 5, answers: '200 ×5' });
  });
});

describe('a token', () => {
  type Algorithm = 'HS256' | 'HS384' | 'HS512';
  const sign = (algorithm: string, text: string, key: string) =>
    createHmac(algorithm.replace('HS', 'sha'), key).update(text).digest('base64url');
  const encode = (data: object) => Buffer.from(JSON.stringify(data)).toString('base64url');

  function issuer(algorithm: string, signs: SecretValue, accepts: readonly SecretValue[]): RequestListener {
    return (request, response) => {
      if (request.url === '/login') {
        const text = `${encode({ alg: algorithm, typ: 'JWT' })}.${encode({ sub: 'smoke', exp: 4_102_444_800 })}`;
        const hash = algorithm.startsWith('HS') ? algorithm : 'HS256';
        response.setHeader('Set-Cookie', 'remember=me');
        return void response.end(JSON.stringify({ token: `${text}.${sign(hash, text, signs.reveal())}` }));
      }
      const [header = '', payload = '', signature = ''] = (request.headers.authorization ?? '').slice(7).split('.');
      const valid = accepts.some((key) => sign(algorithm, `${header}.${payload}`, key.reveal()) === signature);
      // An application that also trusts a cookie: the proof must not bring the login's cookies along.
      response.writeHead(valid || request.headers.cookie ? 200 : 401).end();
    };
  }

  const tokenProof = (url: string, request: object = { headers: { Authorization: 'Bearer ${captured.token}' } }) =>
    proofOf(
      { type: 'jwt', login: 'sign-in', capture: 'token', request: { url: `${url}/me`, ...request } },
      planned('http-flow', { steps: [{ name: 'log in', url: `${url}/login`, capture: { token: 'json:/token' } }] }),
    );

  test.each<Algorithm>(['HS256', 'HS384', 'HS512'])('signed with the old value (%s) is refused', async (algorithm) => {
    const [old, current] = [secret(), secret()];
    const { url } = await serve(issuer(algorithm, current, [current]));
    const evidence = await proveOldRefused(tokenProof(url), { old, current, context });
    expect(evidence.facts).toMatchObject({ proof: 'jwt', refused: 5 });
  });

  test('still accepted is found out', async () => {
    const [old, current] = [secret(), secret()];
    const { url } = await serve(issuer('HS256', current, [current, old]));
    const error = await failureOf(proveOldRefused(tokenProof(url), { old, current, context }));
    expect(error.code).toBe('old-still-accepted');
  });

  test('still signed with the old value proves nothing', async () => {
    const [old, current] = [secret(), secret()];
    const { url } = await serve(issuer('HS256', old, [old]));
    const error = await failureOf(proveOldRefused(tokenProof(url), { old, current, context }));
    expect(error.message).toContain('the current value was refused (401)');
  });

  test.each(['RS256', 'none', 'constructor'])(
    'whose algorithm is %s cannot be made by us and proves nothing',
    async (alg) => {
      const [old, current] = [secret(), secret()];
      const { url } = await serve(issuer(alg, current, []));
      const error = await failureOf(proveOldRefused(tokenProof(url), { old, current, context }));
      expect(error.message).toContain('not a token signed with HS256, HS384 or HS512');
    },
  );

  test('that the request does not carry proves nothing', async () => {
    const [old, current] = [secret(), secret()];
    const { url } = await serve(issuer('HS256', current, [current]));
    const error = await failureOf(proveOldRefused(tokenProof(url, {}), { old, current, context }));
    expect(error.message).toContain('does not carry ${captured.token}');
  });
});

describe('a token that names its key', () => {
  type Keys = Readonly<Record<string, SecretValue>>;
  const encode = (data: object) => Buffer.from(JSON.stringify(data)).toString('base64url');
  const sign = (text: string, key: SecretValue) => createHmac('sha256', key.reveal()).update(text).digest('base64url');

  /** Signs with the key of this name, and verifies by the name that stands in the token. */
  function byName(signs: string, keys: Keys, names = 'kid'): RequestListener {
    return (request, response) => {
      const key = keys[signs];
      if (request.url === '/login' && key) {
        const text = `${encode({ alg: 'HS256', [names]: signs })}.${encode({ sub: 'smoke' })}`;
        return void response.end(JSON.stringify({ token: `${text}.${sign(text, key)}` }));
      }
      const [header = '', claims = '', signature] = (request.headers.authorization ?? '').slice(7).split('.');
      const named = (JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, string>)[names] ?? '';
      const known = keys[named];
      response.writeHead(known && sign(`${header}.${claims}`, known) === signature ? 200 : 401).end();
    };
  }

  const proofFor = (url: string) =>
    proofOf(
      {
        type: 'jwt',
        login: 'sign-in',
        capture: 'token',
        request: { url: `${url}/me`, headers: { Authorization: 'Bearer ${captured.token}' } },
      },
      planned('http-flow', { steps: [{ name: 'log in', url: `${url}/login`, capture: { token: 'json:/token' } }] }),
    );

  test('is tried under the old name too: a verifier that still knows the old key by it is found out', async () => {
    const [old, current] = [secret(), secret()];
    const before = await serve(byName('k1', { k1: old }));
    const { tokenHeader } = await rehearseProof(proofFor(before.url), { current: old, context });
    expect(tokenHeader).toEqual({ alg: 'HS256', kid: 'k1' });

    const after = await serve(byName('k2', { k1: old, k2: current }));
    const found = proveOldRefused(proofFor(after.url), { old, current, oldHeader: tokenHeader, context });
    expect((await failureOf(found)).code).toBe('old-still-accepted');

    const clean = await serve(byName('k2', { k2: current }));
    const evidence = await proveOldRefused(proofFor(clean.url), { old, current, oldHeader: tokenHeader, context });
    expect(evidence).toMatchObject({ proof: { proven: true }, facts: { refused: 10 } });
    expect(evidence.summary).toContain('under the header of a token from before the switch and under the new one');
  });

  test.each(['kid', 'jku', 'x5t'])('(%s) and of which none was had before the switch proves nothing', async (names) => {
    const [old, current] = [secret(), secret()];
    const { url } = await serve(byName('k2', { k2: current }, names));
    const { proof } = await proveOldRefused(proofFor(url), { old, current, oldHeader: null, context });
    expect(proof.proven).toBe(false);
    expect(proof.because).toContain(`tokens name their key (${names})`);
  });
});

describe('a rehearsal, with the value in use', () => {
  const flow = (url: string) => planned('http-flow', { steps: [{ name: 'log in', url: `${url}/login` }] });
  const cookieProof = (url: string) =>
    proofOf({ type: 'signed-cookie', login: 'sign-in', cookie: 'sid', request: { url: `${url}/me` } }, flow(url));

  /** A session cookie in somebody else's form: keygrip (`sid` beside `sid.sig`), Flask (itsdangerous). */
  test.each([
    ['keygrip', ['sid=eyJ1c2VyIjoic21va2UifQ==', 'sid.sig=Pxb0MWvZB7hZpzVnHGTZ1g4dXHo'], 'is not signed'],
    ['Flask', ['sid=eyJ1c2VyIjoic21va2UifQ.ZxYxQg.2sLx1Lz9o5rJ4vJH2d2zN0a1b2c'], 'is not signed'],
    [
      'another key',
      ['sid=s%3Aabc.c2lnbmVkIHdpdGggYW5vdGhlciBrZXk'],
      'made here with the value in use was refused (401)',
    ],
  ])('finds out that a proof cannot be made: cookies of %s', async (_, cookies, said) => {
    const { url } = await serve((request, response) => {
      if (request.url === '/login') return void response.setHeader('Set-Cookie', cookies).end();
      const genuine = cookies.every((cookie) => request.headers.cookie?.includes(cookie));
      response.writeHead(genuine ? 200 : 401).end();
    });
    const error = await failureOf(rehearseProof(cookieProof(url), { current: secret(), context }));
    expect(error).toMatchObject({ code: 'proof-inconclusive', effect: 'none' });
    expect(error.message).toContain(said);
  });

  test('passes where the value itself is the credential', async () => {
    const current = secret();
    const { url } = await serve((request, response) => {
      response.writeHead(request.headers['x-api-key'] === current.reveal() ? 200 : 403).end();
    });
    const proof = proofOf({ type: 'value', request: { url, headers: { 'X-Api-Key': '${value}' } } });
    expect(await rehearseProof(proof, { current, context })).toMatchObject({
      summary: `the value in use is accepted (200), a random one refused (403): GET ${url}`,
      tokenHeader: null,
    });
  });
});

describe('while both values are accepted', () => {
  const flow = (url: string) =>
    planned('http-flow', { steps: [{ name: 'log in', method: 'POST', url: `${url}/login` }] });
  const app = (...secrets: SecretValue[]) => {
    const one = express();
    one.use(
      session({ name: 'sid', secret: secrets.map((value) => value.reveal()), resave: false, saveUninitialized: true }),
    );
    one.post('/login', (_, response) => void response.end());
    return one;
  };
  const proofFor = (url: string) =>
    proofOf({ type: 'signed-cookie', login: 'sign-in', cookie: 'sid', request: { url: `${url}/me` } }, flow(url));

  test('it is seen who signs with the new one, instance by instance', async () => {
    const [old, fresh] = [secret(), secret()];
    const good = await balanced([app(fresh, old), app(fresh, old)]);
    expect((await seeWhoSigns(proofFor(good), { old, fresh, context })).summary).toContain('3 of 3 sign-ins');
    for (const instances of [[app(old, fresh)], [app(fresh, old), app(old, fresh)]]) {
      const error = await failureOf(seeWhoSigns(proofFor(await balanced(instances)), { old, fresh, context }));
      expect(error).toMatchObject({ code: 'signs-with-old', effect: 'none', retryable: false });
      expect(error.message).toContain('signed with the old value');
    }
  });

  test('and that somebody signs with a value that is neither', async () => {
    const [old, fresh] = [secret(), secret()];
    const error = await failureOf(seeWhoSigns(proofFor(await balanced([app(secret())])), { old, fresh, context }));
    expect(error.message).toContain('signed with neither the new nor the old value');
  });
});

describe('a redirect', () => {
  const redirecting =
    (known: SecretValue, to: string): RequestListener =>
    (request, response) => {
      if (request.headers['x-api-key'] === known.reveal()) response.end();
      else response.writeHead(302, { Location: to }).end();
    };
  const valueProof = (url: string) =>
    proofOf({
      type: 'value',
      request: { url, headers: { 'X-Api-Key': '${value}' } },
      refused: [302],
      refusedTo: '/login',
    });

  test.each([
    ['/login?next=%2F', 'refused'],
    ['/maintenance', 'neither'],
    ['/login/../maintenance', 'neither'],
  ])('to %s is %s', async (to, verdict) => {
    const [old, current] = [secret(), secret()];
    const { url } = await serve(redirecting(current, to));
    const proving = proveOldRefused(valueProof(url), { old, current, context });
    if (verdict === 'refused') expect((await proving).facts).toMatchObject({ answers: '302 ×5' });
    else expect((await failureOf(proving)).message).toContain('was answered 302, neither accepted nor refused');
  });
});

describe('a value presented as it is', () => {
  const api =
    (accepts: readonly SecretValue[], statuses = [200, 403]): RequestListener =>
    (request, response) => {
      const presented = request.headers['x-api-key'];
      const known = accepts.some((value) => value.reveal() === presented);
      response.writeHead(statuses[known ? 0 : 1] ?? 500).end();
    };
  const valueProof = (url: string, headers: object = { 'X-Api-Key': '${value}' }) =>
    proofOf({ type: 'value', request: { url, headers } });

  test('is refused when it is the old one', async () => {
    const [old, current] = [secret(), secret()];
    const { url } = await serve(api([current]));
    const evidence = await proveOldRefused(valueProof(url), { old, current, context, attempts: 7 });
    expect(evidence.summary).toContain('refused in 7 of 7 requests (403 ×7)');
  });

  test('still accepted is found out', async () => {
    const [old, current] = [secret(), secret()];
    const { url } = await serve(api([current, old]));
    const error = await failureOf(proveOldRefused(valueProof(url), { old, current, context }));
    expect(error.code).toBe('old-still-accepted');
  });

  test('an answer that is neither yes nor no proves nothing', async () => {
    const [old, current] = [secret(), secret()];
    const { url } = await serve(api([current], [200, 429]));
    const error = await failureOf(proveOldRefused(valueProof(url), { old, current, context }));
    expect(error.message).toContain('was answered 429, neither accepted nor refused');
  });

  test('a request that does not carry it, or two equal values, prove nothing', async () => {
    const [old, current] = [secret(), secret()];
    const { url } = await serve(api([current]));
    expect((await failureOf(proveOldRefused(valueProof(url, {}), { old, current, context }))).code).toBe(
      'proof-inconclusive',
    );
    const same = { old: current, current, context };
    expect((await failureOf(proveOldRefused(valueProof(url), same))).code).toBe('proof-inconclusive');
  });

  test('an abort is respected', async () => {
    const [old, current] = [secret(), secret()];
    const { url } = await serve(() => undefined);
    const controller = new AbortController();
    const reason = new Error('cancelled');
    setTimeout(() => controller.abort(reason), 150);
    const proving = proveOldRefused(valueProof(url), { old, current, context: contextWith({}, controller.signal) });
    await expect(proving).rejects.toBe(reason);
  });
});
