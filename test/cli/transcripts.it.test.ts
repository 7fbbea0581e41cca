import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeShop } from './support/inventory.js';
import { installKeyturn, type Keyturn } from './support/keyturn.js';
import { sampled } from '../support/sample.js';

const VERBS = ['up', 'worker', 'plan', 'rotate', 'approve', 'reject', 'status', 'inventory', 'log', 'schema'];
/** The discard port: nothing listens there. */
const NOBODY = '127.0.0.1:9';
const ESCAPE = '\u001b[';

let keyturn: Keyturn;
beforeAll(async () => {
  keyturn = await installKeyturn();
}, 120_000);
afterAll(() => keyturn.remove());

describe('help', () => {
  test('names every verb and every exit code, on standard output', async () => {
    const { exitCode, stdout, stderr } = await keyturn.run(['--help']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    for (const verb of VERBS) expect(stdout).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
    for (const code of [0, 1, 2, 3, 4, 5]) expect(stdout).toMatch(new RegExp(`^  ${code}  `, 'm'));
  });

  test.each(sampled(VERBS, 4))('of %s shows its own options and the common ones', async (verb) => {
    const { exitCode, stdout } = await keyturn.run([verb, '--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`Usage: keyturn ${verb}`);
    expect(stdout).toContain('--json');
    expect(stdout).toContain('--inventory');
  });

  test('loads nothing but the command line parser', async () => {
    const { all } = await keyturn.run(['--help'], { NODE_DEBUG: 'esm' });
    const loaded = [...all.matchAll(/Storing (\S+) /g)].map(([, module]) => module);
    expect(loaded).toContainEqual(expect.stringContaining('commander'));
    const heavy = loaded.filter((module) =>
      /@temporalio|node_modules\/(?:pg|zod|yaml|axios|pino)\//.test(module ?? ''),
    );
    expect(heavy).toEqual([]);
  });

  test('alone, keyturn prints its help to standard error and exits 2', async () => {
    const { exitCode, stdout, stderr } = await keyturn.run([]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('Usage: keyturn');
  });
});

describe('bad usage exits 2 with an error and a hint, and nothing on standard output', () => {
  test.each([
    [['rotat', 'x/y'], "error: unknown command 'rotat'\nhint: did you mean rotate?"],
    [['status', '--jsn'], "error: unknown option '--jsn'\nhint: did you mean --json?"],
    [['plan'], "error: missing required argument 'ref'\nhint: see keyturn --help"],
    [['rotate', 'shop/SESSION_SECRET'], "error: required option '--operator <who>' not specified"],
    [['plan', 'shop/SESSION_SECRET', '--reason', 'boredom'], 'Allowed choices are routine, leak, leaver, suspicion.'],
    [['plan', 'SESSION_SECRET'], 'error: "SESSION_SECRET" does not name a secret\nhint: write SYSTEM/ENV/SECRET'],
    [['log', '--limit', '0'], 'It must be a whole number from 1.'],
    [['log', '--head', 'abc'], 'error: --head is what --verify compares with\nhint: add --verify'],
    [
      ['log', '--verify', '--head', 'abc'],
      'error: --head must be 64 hexadecimal digits, as log --verify prints it\nhint: give the whole of it',
    ],
    [
      ['approve', 'shop/staging/SESSION_SECRET', '--as', 'x'],
      'error: --as: must name a person\nhint: type it as in: keyturn approve shop/staging/SESSION_SECRET --as ben@example.test',
    ],
    [
      ['extend', 'shop/staging/DATABASE_URL', 'sixhours', '--as', 'ben'],
      'error: how much longer: must be a duration: a whole number and s, m, h or d\nhint: type it as in: keyturn extend',
    ],
  ])('keyturn %j', async (args, expected) => {
    const { exitCode, stdout, stderr } = await keyturn.run(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(expected);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('the inventory', () => {
  test('that is broken is told with file and line, and exits 2', async () => {
    await keyturn.write('broken/shop.yaml', 'system: shop\nenvironments:\n  - name: staging\n    tier: stagin\n');
    const { exitCode, stdout, stderr } = await keyturn.run(['--inventory', 'broken', 'inventory']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^error: .*broken\/shop\.yaml:4: /ms);
  });

  test('that is nowhere is told with where it was looked for', async () => {
    const { exitCode, stderr } = await keyturn.run(['inventory']);
    expect(exitCode).toBe(2);
    expect(stderr).toBe(
      'error: no inventory: neither systems/ nor examples/ is here\n' +
        'hint: name its folder: --inventory DIR or KEYTURN_INVENTORY',
    );
  });

  test('is listed without a ledger, saying that dates are not known', async () => {
    const shop = await writeShop(keyturn, 'shop');
    const { exitCode, stdout, stderr } = await keyturn.run(['inventory'], { KEYTURN_INVENTORY: shop });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Secret +Kind +Place +Cadence +Last +Next/);
    expect(stdout).toMatch(
      /^shop\/production\/SESSION_SECRET +session +dotenv:shop\/shop\.production\.env#SESSION_SECRET +90d +- +-/m,
    );
    expect(stderr).toContain('note: no address of a ledger is known; last and next dates are not known');
  });

  test('finds the nearest name for a secret that it does not have', async () => {
    const shop = await writeShop(keyturn, 'shop');
    const { exitCode, stderr } = await keyturn.run(['--inventory', shop, 'plan', 'shop/staging/SESION_SECRET']);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^error: .*SESION_SECRET.*, says this command's inventory, \/.*\/shop$/m);
    expect(stderr).toContain('SESSION_SECRET"?');
    expect(stderr).toContain('or name another inventory: --inventory DIR or KEYTURN_INVENTORY');
  });

  test('says which kinds have a runbook when one has none', async () => {
    const shop = await writeShop(keyturn, 'shop');
    const { exitCode, stderr } = await keyturn.run(['--inventory', shop, 'plan', 'shop/staging/STRIPE_KEY']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(
      'kind "provider" (shop/staging/STRIPE_KEY)\nhint: it rotates kinds session, signing, token',
    );
  });
});

describe('what cannot be reached exits 5', () => {
  test('Temporal that does not answer is named with its address and where that came from', async () => {
    const { exitCode, stdout, stderr } = await keyturn.run(['status'], { TEMPORAL_ADDRESS: NOBODY });
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: '' });
    expect(stderr).toMatch(/^error: cannot reach Temporal at 127\.0\.0\.1:9 /);
    expect(stderr).toContain('hint: the address comes from TEMPORAL_ADDRESS');
  }, 20_000);

  test('Temporal that nothing was said about', async () => {
    const { exitCode, stderr } = await keyturn.run(['status']);
    expect(exitCode).toBe(5);
    expect(stderr).toMatch(/^error: no address of a Temporal server is known\nhint: .*npm start/);
  });

  test('a ledger that does not answer is an error without its password', async () => {
    const url = `postgresql://keyturn:hunter2hunter2@${NOBODY}/keyturn`;
    const { exitCode, all } = await keyturn.run(['log'], { KEYTURN_DATABASE_URL: url });
    expect(exitCode).toBe(5);
    expect(all).toMatch(/^error: /);
    expect(all).not.toContain('hunter2');
  }, 20_000);
});

describe('--json', () => {
  test.each([
    ['status', { TEMPORAL_ADDRESS: NOBODY }, 'temporal-unavailable'],
    ['log', {}, 'not-configured'],
    ['rotat', {}, 'bad-usage'],
    ['inventory', {}, 'no-inventory'],
  ])(
    'a failing %s leaves one document with the error',
    async (verb, env, code) => {
      const { stdout, stderr } = await keyturn.run(['--json', verb], env);
      expect(JSON.parse(stdout)).toMatchObject({ error: { code, message: expect.any(String) as string } });
      expect(stderr).toMatch(/^error: /);
    },
    20_000,
  );

  test('may stand before or after the verb', async () => {
    const shop = await writeShop(keyturn, 'shop');
    const env = { KEYTURN_INVENTORY: shop };
    const [before, after] = await Promise.all([
      keyturn.run(['--json', 'inventory'], env),
      keyturn.run(['inventory', '--json'], env),
    ]);
    expect(JSON.parse(before.stdout)).toEqual(JSON.parse(after.stdout));
    expect(JSON.parse(after.stdout)).toMatchObject({
      secrets: [
        { ref: 'shop/staging/SESSION_SECRET', kind: 'session', cadence: '90d', last: null, state: 'unknown' },
        { ref: 'shop/staging/STRIPE_KEY', cadence: null, state: 'no cadence' },
        { ref: 'shop/production/SESSION_SECRET' },
        { ref: 'shop/production/STRIPE_KEY' },
      ],
    });
  });
});

describe('plan', () => {
  test('prints every step of every environment in rollout order, asking nothing when told so', async () => {
    const shop = await writeShop(keyturn, 'shop', {
      approval: '{ gates: [promote], allowed: [ben, carla], approvers: 2 }',
    });
    const { exitCode, stdout } = await keyturn.run(['--inventory', shop, 'plan', 'shop/SESSION_SECRET', '--no-checks']);
    expect(exitCode).toBe(0);
    const titles = [...stdout.matchAll(/^ +\d+\. ([^:]+):/gm)].map(([, title]) => title);
    const once = ['Check that everything is ready', 'Stage a new value', 'Approval', 'Switch to the new value'];
    const each = [...once, 'Destroy the old value', 'Record in the ledger'];
    expect(titles).toEqual([...each, ...each]);
    expect(stdout).toContain('who approves: ben or carla but the operator, 2 different people, at promote');
    expect(stdout.indexOf('shop/staging')).toBeLessThan(stdout.indexOf('shop/production'));
    expect(stdout).toContain('as the inventory here has it; no worker was asked');
    expect(stdout).toContain('start it: keyturn rotate shop/SESSION_SECRET --operator olga --reason routine --wait');
  });

  test('says after a leak from where on nobody can cancel, and that ending without a proof is decided', async () => {
    const shop = await writeShop(keyturn, 'shop', { approval: '{ gates: [promote], allowed: [ben] }' });
    const planned = ['--inventory', shop, 'plan', 'shop/staging/SESSION_SECRET', '--no-checks'];
    const { stdout } = await keyturn.run([...planned, '--reason', 'leak']);
    expect(stdout).toMatch(
      /From "Switch to the new value" on a cancellation comes too late; only the failure of a step/,
    );
    expect(stdout).toMatch(/who approves: .*, at promote and unproven$/m);
    const routine = (await keyturn.run(planned)).stdout;
    expect(routine).not.toContain('comes too late');
    expect(routine).toContain('the run will say "not proven"');
  });

  test.each([
    [{}, 'no address of a Temporal server is known'],
    [{ TEMPORAL_ADDRESS: NOBODY }, 'cannot reach Temporal at 127.0.0.1:9 '],
  ])('where no worker can be asked nothing is said of what a run would find, and it exits 5: %j', async (env, why) => {
    const shop = await writeShop(keyturn, 'shop');
    const ref = 'shop/staging/SESSION_SECRET';
    const { exitCode, stdout, stderr } = await keyturn.run(['--inventory', shop, 'plan', ref], env);
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: '' });
    expect(stderr).toContain(`error: ${why}`);
    expect(stderr).toContain('; so nothing could be asked, and nothing was\nhint: ');
    expect(stderr).toContain(`only the steps, without asking anybody: keyturn plan ${ref} --no-checks`);
  });
});

describe('output', () => {
  test('has no colours in a pipe', async () => {
    const shop = await writeShop(keyturn, 'shop');
    const { all } = await keyturn.run(['--inventory', shop, 'plan', 'shop/SESSION_SECRET', '--no-checks']);
    expect(all).not.toContain(ESCAPE);
  });

  test('schema is a JSON Schema of an inventory file', async () => {
    const { exitCode, stdout } = await keyturn.run(['schema']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      type: 'object',
      required: expect.arrayContaining(['system']) as string[],
    });
  });

  test('KEYTURN_DEBUG=1 adds where an error comes from', async () => {
    const { stderr } = await keyturn.run(['status'], { KEYTURN_DEBUG: '1' });
    expect(stderr).toMatch(/^error: /);
    expect(stderr).toMatch(/^\s+at /m);
  });
});
