/** Several activities side by side, as one effect. */
import { CancellationScope } from '@temporalio/workflow';

/** Ends when all have ended: where one fails, the others are called back first, since an undo must not run beside them. */
export async function together<T>(jobs: readonly (() => Promise<T>)[]): Promise<T[]> {
  const scope = new CancellationScope({ cancellable: true });
  return await scope.run(async () => {
    const running = jobs.map((job) => job());
    try {
      return await Promise.all(running);
    } catch (error) {
      scope.cancel();
      await Promise.allSettled(running);
      throw error;
    }
  });
}
