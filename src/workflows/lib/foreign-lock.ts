/** The ids `rotate:…`, `backup:…` and `service:…` are locks: a run under one that is not its own would keep others out and itself let in. */
import { workflowInfo } from '@temporalio/workflow';
import { FAILURE_TYPES } from '../../domain/status.js';
import { answer } from './failures.js';

/** @param own the id that is the lock of what this run is about. */
export function refuseForeignLock(own: string): void {
  const { workflowId } = workflowInfo();
  if (workflowId === own || !/^(?:rotate|backup|service):/.test(workflowId)) return;
  throw answer(
    FAILURE_TYPES.badInput,
    `the workflow id ${workflowId.slice(0, 200)} is the lock of something else: start this under ${own}, or under an id without rotate:, backup: or service:`,
  );
}
