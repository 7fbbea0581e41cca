/** The locks on services as Temporal has them: who holds one, and who waits. */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { lockIdOf, type LockHolder, type ServiceLocks, type Waiting } from './domain/service-lock.js';
import { SEARCH_ATTRIBUTES } from './domain/status.js';

/** More waiting for one service than anybody looks at. */
const MOST_WAITING = 200;

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
    waiting: async (things) => {
      const { services, turn } = SEARCH_ATTRIBUTES;
      const named = things.map((thing) => `${services} = "${thing.replaceAll(/["\\]/g, '?')}"`).join(' OR ');
      const query = `(${named}) AND ${turn} IS NOT NULL AND ExecutionStatus = "Running"`;
      const found: Waiting[] = [];
      for await (const run of client.workflow.list({ query, pageSize: MOST_WAITING })) {
        const said = new Map<string, unknown>(
          run.typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]),
        );
        const [own, wanted] = [said.get(turn), said.get(services)];
        if (typeof own === 'string')
          found.push({
            workflowId: run.workflowId,
            turn: own,
            things: Array.isArray(wanted) ? wanted.map(String) : [],
          });
        if (found.length >= MOST_WAITING) break;
      }
      return found;
    },
    free: async ({ thing, runId }, why) => {
      try {
        await client.workflow.getHandle(lockIdOf(thing), runId).terminate(why);
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}

/** Where there is no Temporal to ask: nobody is seen to hold anything. */
export const NO_LOCKS: ServiceLocks = {
  latest: () => Promise.resolve(null),
  waiting: () => Promise.resolve([]),
  free: () => Promise.resolve(),
};
