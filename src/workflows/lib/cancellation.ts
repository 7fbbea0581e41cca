/** Whether a run was cancelled, asked where nothing else would find out. */
import { CancellationScope } from '@temporalio/workflow';

/** @throws CancelledFailure where it was. */
export async function notCancelledYet(): Promise<void> {
  const scope = CancellationScope.current();
  if (scope.consideredCancelled) await scope.cancelRequested;
}

/** Of a scope that was cancelled. */
export async function cancellationOf(scope: CancellationScope): Promise<Error> {
  try {
    return await scope.cancelRequested;
  } catch (error) {
    return error as Error;
  }
}
