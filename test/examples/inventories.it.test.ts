/** The inventories describe the applications as they are: every check, monitor, deployment, revocation and proof in them works. */
import { contextFrom } from '../checks/contexts.js';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { credentialResolver } from '../../src/activities/credentials.js';
import { passConsecutively } from '../../src/checks/consecutive.js';
import type { CheckContext } from '../../src/checks/check.js';
import { takeBaselines, watchMonitors } from '../../src/checks/monitor.js';
import { proveOldRefused } from '../../src/checks/proof.js';
import { countSessions, revokeSessions } from '../../src/checks/sessions.js';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { openDeployer } from '../../src/deployers/open-deployer.js';
import type { RotationPlan } from '../../src/domain/plan.js';
import type { Reason } from '../../src/domain/reason.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { loadInventory } from '../../src/inventory/load.js';
import { resolvePlan } from '../../src/inventory/resolve.js';
import { ask, EXAMPLES, logIn, readSetting, runningSystems, variable, writeSetting } from './support/running-system.js';
import { sampled } from '../support/sample.js';

let systems: ExampleSystem[];

beforeAll(async () => {
  systems = await runningSystems('mediavault', 'mgmt-vibe', 'hms', 'messaging');
}, 120_000);

async function planFor(
  system: ExampleSystem,
  reason: Reason = 'routine',
  secret = system.secret,
): Promise<RotationPlan> {
  return resolvePlan(await loadInventory(EXAMPLES), {
    ref: { system: system.name, environment: system.environment, secret },
    operator: 'ana@example.test',
    reason,
    requestId: 'request',
    note: null,
    variables: system.variables,
  });
}

function contextOf(system: ExampleSystem): CheckContext {
  return contextFrom(credentialResolver(system.variables), AbortSignal.timeout(60_000));
}

async function allPass(plan: RotationPlan, context: CheckContext): Promise<void> {
  for (const check of [...plan.services.flatMap(({ health }) => health), ...plan.verify]) {
    await passConsecutively(check, context);
  }
}

describe.each(sampled(['mediavault', 'mgmt-vibe', 'hms'] as const, 2))(
  'the inventory of %s',
  { timeout: 120_000 },
  (name) => {
    let system: ExampleSystem;
    let plan: RotationPlan;
    let context: CheckContext;

    beforeAll(async () => {
      system = systems.find((one) => one.name === name)!;
      plan = await planFor(system);
      context = contextOf(system);
    });

    it('names checks that pass on the application as it runs', async () => {
      expect(plan.verify.length).toBeGreaterThan(0);
      await allPass(plan, context);
    });

    it('deploys a new value, after which the old one is proven dead and its monitors stay calm', async () => {
      const old = readSetting(system, system.secret);
      const fresh = randomBytes(32).toString('hex');
      const values = { old: new SecretValue(old), current: new SecretValue(fresh) };
      writeSetting(system, system.secret, fresh);
      const [service] = plan.services;
      const deployer = openDeployer(service!.deploy, service!.name, { PATH: process.env.PATH });
      await deployer.preflight(context.signal);
      const watching = watchMonitors(plan.monitors, { until: Date.now() + 4_000, context });
      await deployer.deploy(context.signal);
      await allPass(plan, context);
      await watching;
      const evidence = await proveOldRefused(plan.proof!, { ...values, context });
      expect(evidence.facts).toMatchObject({ refused: 5, control: 200, random: 401 });
    });

    it('counts and ends the sessions', async () => {
      const { revocation } = await planFor(system, 'leak');
      const { json, cookie } = await logIn(system, 'ana');
      const me = name === 'hms' ? '/api/me' : '/api/auth/me';
      expect((await ask(system, me, { cookie, token: json.accessToken })).status).toBe(200);
      expect(await countSessions(revocation!.database, revocation!.count, context)).toBeGreaterThan(0);
      const { before, after } = await revokeSessions(revocation!.database, revocation!, context);
      expect(before).toBeGreaterThan(0);
      expect(after).toBe(0);
      expect((await ask(system, me, { cookie, token: json.accessToken })).status).toBe(401);
    });
  },
);

describe.each(sampled(['staging', 'production'], 1))(
  'the inventory of messaging, %s',
  { timeout: 120_000 },
  (environment) => {
    let system: ExampleSystem;
    let context: CheckContext;

    beforeAll(() => {
      system = systems.find((one) => one.name === 'messaging' && one.environment === environment)!;
      context = contextOf(system);
    });

    it.each(sampled(['JWT_ACCESS_SECRET', 'JWT_REFRESH_SECRET', 'METRICS_AUTH_TOKEN'], 1))(
      'deploys a new %s, after which all checks pass, monitors stay calm and the old one is dead',
      async (secret) => {
        const plan = await planFor(system, 'leak', secret);
        const old = readSetting(system, secret);
        const fresh = randomBytes(32).toString('base64');
        await allPass(plan, context);
        writeSetting(system, secret, fresh);
        const watching = watchMonitors(plan.monitors, { until: Date.now() + 4_000, context });
        await openDeployer(plan.services[0]!.deploy, 'api', { PATH: process.env.PATH }).deploy(context.signal);
        await allPass(plan, context);
        await watching;
        const values = { old: new SecretValue(old), current: new SecretValue(fresh) };
        const evidence = await proveOldRefused(plan.proof!, { ...values, context });
        expect(evidence.facts).toMatchObject({ refused: 5, control: 200, random: 401 });
      },
    );

    it('counts and ends the sign-ins', async () => {
      const { revocation } = await planFor(system, 'leak', 'JWT_REFRESH_SECRET');
      const { json } = await logIn(system, 'ana');
      const { before, after } = await revokeSessions(revocation!.database, revocation!, context);
      expect(before).toBeGreaterThan(0);
      expect(after).toBe(0);
      expect((await ask(system, '/api/me', { token: json.accessToken })).status).toBe(401);
      const again = await ask(system, '/api/auth/refresh', { json: { refreshToken: json.refreshToken } });
      expect(again.status).toBe(401);
    });

    it('counts replayed refresh tokens of people, not of its own smoke test', async () => {
      const { monitors, verify } = await planFor(system, 'routine', 'JWT_ACCESS_SECRET');
      const reuse = monitors.filter(({ name }) => name === 'refresh-reuse');
      // What happens before the first reading would count for nothing.
      const baseline = await takeBaselines(reuse, context);
      const watch = (): Promise<unknown> => watchMonitors(reuse, { until: Date.now(), baseline, context });
      for (const check of verify) await passConsecutively(check, context);
      await watch();
      const { json } = await logIn(system, 'ben');
      for (let round = 0; round < 2; round += 1) {
        await ask(system, '/api/auth/refresh', { json: { refreshToken: json.refreshToken } });
      }
      const stolen = await watch().catch((error: unknown) => error);
      expect(stolen).toMatchObject({ message: expect.stringContaining('refresh-reuse') as string });
    });
  },
);

it('every probe of a database credential writes one row as the role in use', { timeout: 60_000 }, async () => {
  const { systems: specs } = await loadInventory(EXAMPLES);
  for (const system of systems) {
    const { secrets } = specs.find(({ spec }) => spec.system === system.name)!.spec;
    const { swap } = Object.values(secrets).find(({ kind }) => kind === 'database')!;
    const client = new pg.Client({ connectionString: variable(system, '_ADMIN_URL') });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query(`SET LOCAL ROLE ${pg.escapeIdentifier(system.role)}`);
      expect((await client.query(swap!.probe!)).rowCount).toBe(1);
      await client.query('ROLLBACK');
    } finally {
      await client.end();
    }
  }
});

it('the proof notices a secret that is still accepted', { timeout: 60_000 }, async () => {
  const system = systems.find(({ name }) => name === 'mgmt-vibe')!;
  const plan = await planFor(system);
  const old = readSetting(system, 'SESSION_SECRET');
  const fresh = randomBytes(32).toString('hex');
  writeSetting(system, 'SESSION_SECRET', `${fresh},${old}`);
  const context = contextOf(system);
  await openDeployer(plan.services[0]!.deploy, 'web', { PATH: process.env.PATH }).deploy(context.signal);
  const values = { old: new SecretValue(old), current: new SecretValue(fresh) };
  await expect(proveOldRefused(plan.proof!, { ...values, context })).rejects.toMatchObject({
    code: 'old-still-accepted',
  });
});
