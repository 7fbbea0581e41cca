/** A session secret, a database credential and an encryption key of one service, rotated at once: none disturbs another. */
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { RotationReport } from '../../../src/domain/report.js';
import type { RunStatus } from '../../../src/domain/status.js';
import { run } from '../../databases/roles/support/world.js';
import { endOf } from '../support/end-of.js';
import { Held } from '../support/faults.js';
import { logIn } from '../swap/support/picture.js';
import { Stage } from './support/stage.js';
import { SECRETS, type Secret, type System } from './support/system.js';
import { sampled } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

type Order = readonly [Secret, Secret, Secret];
const ORDERS: readonly Order[] = [
  ['SESSION_SECRET', 'DATABASE_URL', 'KEY'],
  ['SESSION_SECRET', 'KEY', 'DATABASE_URL'],
  ['DATABASE_URL', 'SESSION_SECRET', 'KEY'],
  ['DATABASE_URL', 'KEY', 'SESSION_SECRET'],
  ['KEY', 'SESSION_SECRET', 'DATABASE_URL'],
  ['KEY', 'DATABASE_URL', 'SESSION_SECRET'],
];

type Start = (system: System, order: Order, whileTheyWait: () => Promise<void>) => Promise<WorkflowHandle[]>;

/** All three before the first has come to anything. */
const atOnce: Start = async (system, order) => await Promise.all(order.map((secret) => stage.rotate(system, secret)));

/** The second while the service is being deployed or stands still for the first, the third once the second waits. */
const oneAfterTheOther: Start = async (system, order, whileTheyWait) => {
  const touching = new Held();
  system.faults.set(`${SECRETS[order[0]].touches} 1`, touching.fault);
  const handles = [await stage.rotate(system, order[0])];
  try {
    await touching.reached;
    for (const secret of order.slice(1)) {
      const handle = await stage.rotate(system, secret);
      handles.push(handle);
      await stage.until(handle, waitsOrHasEnded);
    }
    await whileTheyWait();
  } finally {
    touching.release();
  }
  return handles;
};

/** One that has ended has not waited, and is found out by how it ended. */
const waitsOrHasEnded = ({ steps, report }: RunStatus): boolean =>
  report !== null || steps.some(({ name, state }) => name.startsWith('Wait for web') && state === 'running');

describe.concurrent.each([
  ['at once', atOnce],
  ['one after the other', oneAfterTheOther],
])('started %s', (_, start) => {
  it.concurrent.for(sampled(ORDERS, 2))('%s, %s, %s: all complete', async (order, context) => {
    const { expect } = context;
    const system = await stage.system(ORDERS.indexOf(order) % 2 === 0 ? 'copy' : 'group');
    const { web, before, database } = system;
    try {
      const [first, second, third] = order;
      const handles = await start(system, order, async () => {
        // Visibility comes a moment late.
        await context.expect
          .poll(() => stage.whoIsUnderWay(system, third))
          .toEqual(
            [
              `under way on web: ${system.name}/production/${first}: it deploys now, and this run would wait for that`,
              `under way on web: ${system.name}/production/${second}: it waits for its turn to deploy`,
            ].sort(),
          );
      });
      expect(await Promise.all(handles.map(endOf))).toEqual(['completed', 'completed', 'completed']);

      const reports = await Promise.all(handles.map((handle) => handle.result() as Promise<RotationReport>));
      for (const { steps } of reports) {
        const watched = steps.find((step) => step.name.startsWith('Watch the monitors'))?.evidence?.summary ?? '';
        expect(watched).toMatch(/^healthy failed 0 of \d+ times; errors rose by 0 of 0 allowed/);
      }
      expect(web.wrong).toEqual([]);
      await web.readEverything();
      const [signing] = web.settings.signing;
      expect(web.settings.signing).toEqual([signing]);
      expect([signing, web.settings.database, web.settings.key]).not.toContain(before.session);
      expect(web.settings.key).not.toBe(before.key);
      expect(await logIn(web.settings.database)).toBe('in');
      expect(await logIn(before.url)).toBe('28P01');
      const logins = await run(database.url, `SELECT shobj_description(oid, 'pg_authid') AS of FROM pg_roles`);
      expect(logins.filter(({ of }) => String(of).includes(`:${system.name}/`) && String(of).startsWith('K'))).toEqual(
        [],
      );
      expect((await stage.rows(system)).map(({ outcome }) => outcome)).toEqual(['completed', 'completed', 'completed']);
    } finally {
      await stage.remove(system);
    }
  });
});
