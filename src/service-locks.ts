/** The locks on services as Temporal has them: who holds one, and who waits. */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { lockIdOf, type LockHolder, type ServiceLocks, type UnderWay } from './domain/service-lock.js';
import { LIST_NOTE, SEARCH_ATTRIBUTES } from './domain/status.js';

/** More runs on one service than anybody looks at. */
const MOST = 200;

export function serviceLocks(client: Client): ServiceLocks {
  return {
    latest: async (thing) => {
      try {
        const run = await client.workflow.getHandle(lockIdOf(thing)).describe();
        const { ref, workflowId, firstRunId } = (run.memo?.['holder'] ?? {}) as Partial<LockHolder>;
        return {
          thing,
          runId: run.runId,
          held: run.status.name === 'RUNNING',
          since: run.startTime.toISOString(),
          holder: { ref: ref ?? 'somebody', workflowId: workflowId ?? '', firstRunId: firstRunId ?? '' },
        };
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return null;
        throw error;
      }
    },
    waiting: async (things) =>
      (await underWay(client, things, `AND ${SEARCH_ATTRIBUTES.turn} IS NOT NULL`)).flatMap((run) =>
        run.turn === null ? [] : [{ workflowId: run.workflowId, things: run.things, turn: run.turn }],
      ),
    underWay: (things) => underWay(client, things),
    free: async ({ thing, runId }, why) => {
      try {
        await client.workflow.getHandle(lockIdOf(thing), runId).terminate(why);
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}

async function underWay(client: Client, things: readonly string[], more = ''): Promise<UnderWay[]> {
  if (things.length === 0) return [];
  const { services, turn, system, environment, secret } = SEARCH_ATTRIBUTES;
  const named = things.map((thing) => `${services} = "${thing.replaceAll(/["\\]/g, '?')}"`).join(' OR ');
  const query = `(${named}) AND ExecutionStatus = "Running" ${more}`;
  const found: UnderWay[] = [];
  for await (const run of client.workflow.list({ query, pageSize: MOST })) {
    const said = new Map<string, unknown>(
      run.typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]),
    );
    const text = (name: string): string | null => {
      const value = said.get(name);
      return typeof value === 'string' ? value : null;
    };
    const deployed = said.get(services);
    found.push({
      ref: [system, environment, secret].map((name) => text(name) ?? '?').join('/'),
      workflowId: run.workflowId,
      since: run.startTime.toISOString(),
      things: Array.isArray(deployed) ? deployed.map(String) : [],
      turn: text(turn),
      note: (run.memo?.[LIST_NOTE] ?? null) as UnderWay['note'],
    });
    if (found.length >= MOST) break;
  }
  return found;
}

/** Where there is no Temporal to ask: nobody is seen to hold anything. */
export const NO_LOCKS: ServiceLocks = {
  latest: () => Promise.resolve(null),
  waiting: () => Promise.resolve([]),
  underWay: () => Promise.resolve([]),
  free: () => Promise.resolve(),
};
