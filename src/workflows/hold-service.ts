/**
 * `holdService`: the lock on one deployed service. A child of the run that holds it, which only waits to be released: the server ends
 * it with that run, however the run ends (lib/service-lock.ts).
 */
import { condition, defineSignal, setCurrentDetails, setDefaultSignalHandler, setHandler } from '@temporalio/workflow';
import { inline } from '../domain/markdown.js';
import type { LockHolder } from '../domain/service-lock.js';

/** By the holder's first run id: nobody else's release counts. */
export const releaseSignal = defineSignal<[string]>('release');

export async function holdService(holder: LockHolder): Promise<void> {
  let released = false;
  setHandler(
    releaseSignal,
    (by: unknown) => {
      if (by === holder.firstRunId) released = true;
    },
    { description: 'From the run that holds the service, not for people: to free it, terminate this workflow' },
  );
  setDefaultSignalHandler(() => undefined);
  setCurrentDetails(
    `Held by **${inline(holder.ref)}** (workflow \`${holder.workflowId}\`): it deploys this service and looks whether it is well.`,
  );
  await condition(() => released);
}
