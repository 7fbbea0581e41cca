/** Who holds a secret: the run under its workflow id, and what it is doing. And where: only there can it be asked whether it is over. */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import type { Namespace } from './activities/deps.js';
import type { Holder } from './activities/rotation-activities.js';
import { SEARCH_ATTRIBUTES } from './domain/status.js';

/** @returns null when no run holds the id. */
export async function findHolder(client: Client, workflowId: string): Promise<Holder | null> {
  try {
    const run = await client.workflow.getHandle(workflowId).describe();
    if (run.status.name !== 'RUNNING') return null;
    const phase = run.typedSearchAttributes.getAll().find((pair) => pair.key.name === SEARCH_ATTRIBUTES.phase)?.value;
    return {
      workflowId,
      runId: run.runId,
      phase: typeof phase === 'string' ? phase : null,
      startedAt: run.startTime.toISOString(),
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** Asked once; a failure is asked again. */
export function namespaceOf(client: Client): () => Promise<Namespace> {
  let known: Promise<Namespace> | null = null;
  return () => {
    known ??= describeNamespace(client).catch((error: unknown) => {
      known = null;
      throw error;
    });
    return known;
  };
}

async function describeNamespace({ workflowService, options }: Client): Promise<Namespace> {
  const { namespaceInfo } = await workflowService.describeNamespace({ namespace: options.namespace });
  const id = namespaceInfo?.id;
  if (!id) throw new Error(`the Temporal server does not say the id of namespace "${options.namespace}"`);
  return { name: options.namespace, id };
}
