/** A signal sent to the leading run, where the person who started it looks, reaches the environments that run. */
import {
  CancellationScope,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  type ExternalWorkflowHandle,
} from '@temporalio/workflow';
import { STEERING } from '../../domain/messages.js';
import { rotationWorkflowId, type SecretRef } from '../../domain/refs.js';
import { approveSignal, rejectSignal } from './gate-messages.js';
import { steerSignals } from './steering.js';

export function passOn(running: () => readonly SecretRef[]): void {
  // A handler that fails ends the run: one that is cancelled still waits for its environments, and passes on meanwhile.
  const toAll = async (send: (child: ExternalWorkflowHandle) => Promise<void>): Promise<void> =>
    await CancellationScope.nonCancellable(async () => {
      await Promise.all(
        running().map((ref) => send(getExternalWorkflowHandle(rotationWorkflowId(ref))).catch(ignoreGone)),
      );
    });
  const description = 'Passed on to the environments that run';
  for (const signal of [approveSignal, rejectSignal])
    setHandler(signal, (decision) => toAll((child) => child.signal(signal, decision)), { description });
  for (const steer of STEERING) {
    const signal = steerSignals[steer];
    setHandler(signal, (input) => toAll((child) => child.signal(signal, input)), { description });
  }
}

/** A run that has ended meanwhile needs no word; a cancellation must still be felt. */
export function ignoreGone(error: unknown): void {
  if (isCancellation(error) && CancellationScope.current().consideredCancelled) throw error as Error;
}
