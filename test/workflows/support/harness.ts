/** Runs the shipped workflow bundle on the shared dev server, with a World behind the activities. */
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Runtime, Worker, DefaultLogger } from '@temporalio/worker';
import { inject } from 'vitest';
import type { RunStatus } from '../../../src/domain/status.js';
import { STATUS_QUERY } from '../../../src/domain/messages.js';
import { rotationWorkflowId } from '../../../src/domain/refs.js';
import { findHolder } from '../../../src/holder.js';
import { serviceLocks } from '../../../src/service-locks.js';
import { activityWrapper } from '../../../src/activities/as-activity.js';
import type { AwaitServices, RotationActivities, WantedServices } from '../../../src/activities/rotation-activities.js';
import { awaitServices, findAhead } from '../../../src/activities/service-locks.js';
import { fastForward } from '../../../src/embedded/fast-forward.js';
import { registerSearchAttributes } from '../../../src/search-attributes.js';
import { resetAfter } from './reset-after.js';
import { freshTaskQueue } from '../../support/servers.js';
import { planOf } from './plan.js';
import { World } from './world.js';

const codePath = fileURLToPath(new URL('../../../dist/workflow-bundle.js', import.meta.url));

/** A test that waits longer waits for something that does not come: several run at once, on a machine that may be busy. */
export const PATIENCE_MS = 90_000;

export interface Harness {
  readonly client: Client;
  /** Runs `body` with this world known to the worker: one for all worlds of a file. */
  withWorker<T>(world: World, body: () => Promise<T>): Promise<T>;
  start(world: World, input?: Record<string, unknown>): Promise<WorkflowHandle>;
  status(handle: WorkflowHandle): Promise<RunStatus>;
  /** Waits for a state that the status query shows. */
  until(handle: WorkflowHandle, what: (status: RunStatus) => boolean): Promise<RunStatus>;
  /** As resetAfter. */
  reset(handle: WorkflowHandle, place: string): Promise<WorkflowHandle>;
  /** Passes a timer without waiting; bounded, so that deadlines behind it stay where they are. */
  fastForward(handle: WorkflowHandle, seconds: number): Promise<void>;
  close(): Promise<void>;
}

export async function openHarness(): Promise<Harness> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const address = inject('temporalAddress');
  const connection = await NativeConnection.connect({ address });
  await registerSearchAttributes(connection, 'default');
  const clientConnection = await Connection.connect({ address });
  const client = new Client({ connection: clientConnection });
  // Locks are Temporal's own: no world has any.
  const deps = { serviceLocks: serviceLocks(client), findHolder: (id: string) => findHolder(client, id) };
  const asActivity = activityWrapper(() => undefined);
  const asks = {
    awaitServices: asActivity((tools, wanted: AwaitServices) => awaitServices(wanted, deps, tools)),
    findAhead: asActivity((_, wanted: WantedServices) => findAhead(wanted, deps)),
  };
  // By the secret, which every run's id or input names.
  const worlds = new Map<string, RotationActivities>();
  const taskQueue = freshTaskQueue('harness');
  const inItsWorld =
    (name: keyof RotationActivities) =>
    (...args: unknown[]): Promise<unknown> => {
      const said = `${Context.current().info.workflowExecution?.workflowId ?? ''} ${JSON.stringify(args)}`;
      const activities = [...worlds].find(([secret]) => said.includes(secret))?.[1];
      if (!activities) throw new Error(`no world for ${said}`);
      return (activities[name] as (...given: unknown[]) => Promise<unknown>)(...args);
    };
  const names = Object.keys(new World(planOf('', '')).activities()) as (keyof RotationActivities)[];
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowBundle: { codePath },
    activities: { ...Object.fromEntries(names.map((name) => [name, inItsWorld(name)])), ...asks },
  });
  const running = worker.run();
  return {
    client,
    withWorker: async (world, body) => {
      Object.assign(world.plan, { taskQueue });
      worlds.set(world.plan.ref.secret, world.activities());
      return await body();
    },
    start: (world, input = {}) =>
      client.workflow.start('rotateSessionSecret', {
        workflowId: rotationWorkflowId(world.plan.ref),
        taskQueue: world.plan.taskQueue,
        args: [{ ...world.plan.ref, operator: 'ana@example.test', ...input }],
      }),
    status: (handle) => handle.query<RunStatus>(STATUS_QUERY),
    until: async (handle, what) => {
      const deadline = Date.now() + PATIENCE_MS;
      let last: unknown;
      while (Date.now() < deadline) {
        const status = await handle.query<RunStatus>(STATUS_QUERY).catch((error: unknown) => void (last = error));
        if (status && what(status)) return status;
        if (status) last = { phase: status.phase, gate: status.gate?.name, refusals: status.refusals };
        await new Promise((done) => setTimeout(done, 50));
      }
      throw new Error(
        `the run never came to it; last seen: ${last instanceof Error ? last.message : JSON.stringify(last)}`,
      );
    },
    reset: (handle, place) => resetAfter(client, handle, place),
    fastForward: async (handle, seconds) => {
      const { runId } = await handle.describe();
      await fastForward(clientConnection.workflowService, { workflowId: handle.workflowId, runId }, seconds);
    },
    close: async () => {
      worker.shutdown();
      await running;
      await connection.close();
      await clientConnection.close();
    },
  };
}
