/**
 * The whole of `swapDatabaseCredential` on the messaging example: staging and production in waves, under constant traffic, with
 * the day in between passed by the server's own time skipping.
 */
import type { WorkflowHandle } from '@temporalio/client';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { startTraffic } from '../../src/demo/traffic.js';
import type { RotationReport } from '../../src/domain/report.js';
import { runningSystems } from '../examples/support/running-system.js';
import { openStage, type Stage } from './support/stage.js';
import { HOURS, keeps, observes, rolesOf, swapsOn, sweepRoles, type Swaps } from './support/swaps.js';

const PATIENCE_MS = 400_000;
const SECRET = 'DATABASE_URL';

let systems: ExampleSystem[];
let stage: Stage;
let swaps: Swaps;

beforeAll(async () => {
  systems = await runningSystems('messaging');
  sweepRoles(systems);
  stage = await openStage('swap', systems);
  swaps = swapsOn(stage);
  await stage.startWorker();
}, PATIENCE_MS);

const runOf = (environment: string): WorkflowHandle => swaps.runOf(`messaging/${environment}/${SECRET}`);

describe('messaging, through both waves and the drop', () => {
  test('no request fails; the old roles are proven dead; the new ones serve', { timeout: PATIENCE_MS }, async () => {
    const traffic = await startTraffic(systems);
    const { exitCode, stderr } = await stage.keyturn('rotate', `messaging/${SECRET}`, '--operator', 'ana@example.test');
    expect(exitCode, stderr).toBe(0);

    await swaps.approve(runOf('production'), 'wave');
    const staging = await stage.until(runOf('staging'), keeps);
    const production = await stage.until(runOf('production'), keeps);
    expect(staging.steering).toEqual(['extend', 'dropNow', 'abort']);
    expect(Date.parse(production.wait?.until ?? '') - Date.now()).toBeGreaterThan(23.9 * HOURS * 1_000);
    await swaps.skip(runOf('staging'), HOURS);
    await stage.until(runOf('staging'), observes);
    await swaps.skip(runOf('staging'), 60);
    await swaps.skip(runOf('production'), 24 * HOURS);
    await swaps.approve(runOf('production'), 'drop');
    await stage.until(runOf('production'), observes);
    await swaps.skip(runOf('production'), 600);

    for (const system of systems) {
      const report = (await runOf(system.environment).result()) as RotationReport;
      expect(report.outcome).toBe('completed');
      const { events } = await runOf(system.environment).fetchHistory();
      // The aim is 250 with a day that is watched; each hour that was skipped is an event too here.
      expect(events?.length).toBeLessThan(250);
      const roles = await rolesOf(system);
      // The first generation has become the group, which keeps what it owns.
      expect(roles.map(({ name, login }) => ({ name, login }))).toEqual([
        { name: system.role, login: false },
        {
          name: expect.stringMatching(new RegExp(`^messaging_${system.environment}_\\d{6}_\\w{6}$`)) as string,
          login: true,
        },
      ]);
      expect(roles.map(({ sessions }) => sessions > 0)).toEqual([false, true]);
    }
    const counts = await traffic.stop();
    for (const [name, { served, refused, failed }] of counts) {
      // 60 requests a second were asked for; a busy machine makes fewer.
      expect(served).toBeGreaterThan(1_000);
      expect({ name, refused, failed }, traffic.failures(name).join('\n')).toEqual({ name, refused: 0, failed: 0 });
    }
  });
});
