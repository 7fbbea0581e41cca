/**
 * Runs the shipped workflow bundle and the real activities on the shared dev server, for many systems at once: one worker, whose
 * activities find by the run which system they are for, with that system's inventory and disturbances.
 */
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { inject, vi } from 'vitest';
import { createActivities } from '../../../src/activities/create-activities.js';
import { createSealer } from '../../../src/backups/seal.js';
import { APPROVE, REJECT, STATUS_QUERY, type Steer } from '../../../src/domain/messages.js';
import { rotationWorkflowId } from '../../../src/domain/refs.js';
import type { RunStatus } from '../../../src/domain/status.js';
import { fastForward } from '../../../src/embedded/fast-forward.js';
import { findHolder, namespaceOf } from '../../../src/holder.js';
import { loadInventory } from '../../../src/inventory/load.js';
import type { LedgerRow } from '../../../src/ledger/ledger.js';
import { PostgresLedger } from '../../../src/ledger/postgres-ledger.js';
import { registerSearchAttributes } from '../../../src/search-attributes.js';
import { serviceLocks } from '../../../src/service-locks.js';
import { createFingerprinter } from '../../../src/stores/fingerprint.js';
import { freshTaskQueue, temporalClient } from '../../support/servers.js';
import { Databases } from './databases.js';
import type { Fault } from './faults.js';
import { resetAfter } from './reset-after.js';

const codePath = fileURLToPath(new URL('../../../dist/workflow-bundle.js', import.meta.url));

/** A run that takes longer waits for something that does not come; the machine may be busy with others. */
export const PATIENCE_MS = 180_000;
const FINGERPRINT_KEY = 'a key of at least thirty-two characters';
export const ANA = 'ana@example.test';
export const BEN = { by: 'ben@example.test', note: 'looked at it' };

// Nets: dozens of runs a test, on two cores that others use too. Read when a test is declared, which is after this.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 300_000 });

/** A system of a test: an inventory of its own, and which of its steps are disturbed. */
export interface StagedSystem {
  readonly name: string;
  /** Directory of its inventory. */
  readonly inventory: string;
  readonly secret: string;
  readonly reason: string;
  readonly environments: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  /** `createRole 1`: activity and how often it was called, in order, without the awaited attempts. */
  readonly calls: string[];
  readonly faults: ReadonlyMap<string, Fault>;
  remove(): Promise<void>;
}

export interface StageParts {
  readonly client: Client;
  readonly taskQueue: string;
  readonly ledger: PostgresLedger;
  readonly databases: Databases;
  readonly connection: NativeConnection;
}

type Activities = ReturnType<typeof createActivities>;
type AnyActivity = (...args: unknown[]) => Promise<unknown>;

export abstract class RealStage<S extends StagedSystem> {
  readonly client: Client;
  readonly taskQueue: string;
  protected readonly databases: Databases;
  private readonly ledger: PostgresLedger;
  private readonly systems = new Map<string, { system: S; activities: Activities }>();

  /** @param runbook the workflow type that its systems are taken through. */
  protected constructor(
    private readonly parts: StageParts,
    private readonly runbook: string,
  ) {
    ({ client: this.client, taskQueue: this.taskQueue, databases: this.databases, ledger: this.ledger } = parts);
  }

  /** @param adopt as Databases. */
  protected static async parts(queue: string, adopt: boolean): Promise<StageParts> {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
    await registerSearchAttributes(connection, 'default');
    const databases = await Databases.start(adopt);
    const ledger = new PostgresLedger(await databases.ledger());
    return { client: await temporalClient(), taskQueue: freshTaskQueue(queue), ledger, databases, connection };
  }

  /** To be closed when the file is done. */
  protected async work(): Promise<this> {
    const { connection } = this.parts;
    const worker = await Worker.create({
      connection,
      taskQueue: this.taskQueue,
      workflowBundle: { codePath },
      activities: this.activities(),
      // A cancellation is heard of by the answer to a heartbeat.
      maxHeartbeatThrottleInterval: '200ms',
    });
    const running = worker.run();
    this.close = async () => {
      worker.shutdown();
      await running;
      await connection.close();
      for (const { system } of this.systems.values()) await system.remove();
      await this.ledger.close();
      await this.databases.stop();
    };
    return this;
  }

  close: () => Promise<void> = () => Promise.resolve();

  protected add(system: S): S {
    const activities = createActivities({
      worker: 'a worker of the tests',
      loadInventory: () => loadInventory(system.inventory),
      variables: system.variables,
      fingerprint: createFingerprinter(FINGERPRINT_KEY),
      seals: createSealer(FINGERPRINT_KEY),
      ledger: this.ledger,
      findHolder: (workflowId) => findHolder(this.client, workflowId),
      namespace: namespaceOf(this.client),
      serviceLocks: serviceLocks(this.client),
      log: () => undefined,
    });
    this.systems.set(system.name, { system, activities });
    return system;
  }

  async remove(system: S): Promise<void> {
    this.systems.delete(system.name);
    await system.remove();
  }

  /** @param environment left out: the only one, or all in waves. */
  async start(system: S, environment?: string): Promise<WorkflowHandle> {
    const { name: one, secret, reason } = system;
    const [only, ...others] = system.environments;
    const named = environment ?? (others.length === 0 ? only : undefined);
    return await this.client.workflow.start(this.runbook, {
      workflowId: named === undefined ? `all:${one}/${secret}` : this.workflowId(system, named),
      taskQueue: this.taskQueue,
      args: [
        {
          system: one,
          secret,
          operator: ANA,
          reason,
          ...(named === undefined ? {} : { environment: named }),
        },
      ],
    });
  }

  runIn(system: S, environment: string): WorkflowHandle {
    return this.client.workflow.getHandle(this.workflowId(system, environment));
  }

  workflowId({ name, secret }: S, environment: string): string {
    return rotationWorkflowId({ system: name, environment, secret });
  }

  /** Waits for a state that the status query shows. */
  async until(handle: WorkflowHandle, what: (status: RunStatus) => boolean): Promise<RunStatus> {
    const deadline = Date.now() + PATIENCE_MS;
    let last: unknown = null;
    while (Date.now() < deadline) {
      try {
        const status = await handle.query<RunStatus>(STATUS_QUERY);
        if (what(status)) return status;
        last = JSON.stringify(status, null, 1);
      } catch (error) {
        last = error;
      }
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error(`the run never came to it; last seen: ${String(last)}`);
  }

  /** Approves what is asked on the way to a state, once each, as ben. */
  async accompanied(handle: WorkflowHandle, to: (status: RunStatus) => boolean): Promise<RunStatus> {
    const approved = new Set<string>();
    return await this.until(handle, (status) => {
      if (to(status)) return true;
      const { gate } = status;
      if (gate && !approved.has(gate.name)) {
        approved.add(gate.name);
        handle.executeUpdate(APPROVE, { args: [{ ...BEN, gate: gate.name }] }).catch(() => approved.delete(gate.name));
      }
      return false;
    });
  }

  async approve(handle: WorkflowHandle, gate: string): Promise<void> {
    await this.decide(handle, gate, APPROVE);
  }

  async reject(handle: WorkflowHandle, gate: string): Promise<void> {
    await this.decide(handle, gate, REJECT);
  }

  /** A run that was reset takes only decisions that name its plan. */
  private async decide(handle: WorkflowHandle, name: string, how: typeof APPROVE | typeof REJECT): Promise<void> {
    const { gate } = await this.until(handle, (status) => status.gate?.name === name);
    await handle.executeUpdate(how, { args: [{ ...BEN, gate: name, plan: gate?.plan }] });
  }

  /** As resetAfter. */
  async reset(handle: WorkflowHandle, place: string): Promise<WorkflowHandle> {
    return await resetAfter(this.client, handle, place);
  }

  /** Once the run waits for what can be steered. */
  async steer(handle: WorkflowHandle, how: 'update' | 'signal', steer: Steer, input: object = {}): Promise<void> {
    await this.until(handle, ({ steering }) => steering.includes(steer));
    if (how === 'update') await handle.executeUpdate(steer, { args: [{ ...BEN, ...input }] });
    else await handle.signal(steer, { ...BEN, ...input });
  }

  /** Passes a timer without waiting. */
  async fastForward(handle: WorkflowHandle, seconds: number): Promise<void> {
    const { workflowId } = handle;
    const { runId } = await handle.describe();
    await fastForward(this.client.workflowService, { workflowId, runId }, seconds);
  }

  async rows({ name }: S): Promise<LedgerRow[]> {
    return await this.ledger.list({ system: name });
  }

  private activities(): Record<string, AnyActivity> {
    const names = Object.keys(createActivities({} as never));
    return Object.fromEntries(names.map((name) => [name, (...args: unknown[]) => this.dispatch(name, args)]));
  }

  private async dispatch(name: string, args: unknown[]): Promise<unknown> {
    const { workflowExecution, attempt } = Context.current().info;
    const [system, environment] = (workflowExecution?.workflowId ?? '').replace(/^[a-z]+:/, '').split('/');
    const found = this.systems.get(system ?? '');
    if (!found) throw new Error(`no system for ${workflowExecution?.workflowId ?? ''}`);
    const { calls, faults } = found.system;
    const prefix = found.system.environments.length > 1 ? `${environment ?? ''} ` : '';
    const count = (): number => calls.filter((call) => call.startsWith(`${prefix}${name} `)).length;
    if (attempt === 1) calls.push(`${prefix}${name} ${count() + 1}`);
    const fault = faults.get(`${prefix}${name} ${count()}`);
    const body = (): Promise<unknown> => (found.activities[name as keyof Activities] as AnyActivity)(...args);
    return await (fault ? fault(attempt, body) : body());
  }
}
