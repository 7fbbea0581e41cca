/** What the cancellation of a run would come to: the run says it; where none answers, its history says whether anything was begun. */
import { cancellingInWords, isHarmless } from '../domain/cancelling.js';
import { exposedValue } from '../domain/reason.js';
import type { RunStatus } from '../domain/status.js';
import { invocation, quoteArgument } from './invocation.js';
import { type Answer, askStatus, hasBegun, isSilence } from './runs.js';
import type { LiveRun, ToCancel } from './runs-to-cancel.js';
import type { TemporalClient } from './temporal.js';
import { unservedQueues, unservedText } from './unserved.js';

/** Those whose own work is undone: a run that leads others has none. */
export function affected({ run, led }: ToCancel): readonly LiveRun[] {
  return led.length > 0 ? led : [run];
}

export interface Outlook {
  readonly run: LiveRun;
  /** False: no worker has ever taken it on. */
  readonly begun: boolean;
  /** Nothing is to be undone. */
  readonly harmless: boolean;
  readonly tooLate: boolean;
  /** What it comes to, in words. */
  readonly will: string;
}

export async function outlookOf(temporal: TemporalClient, run: LiveRun): Promise<Outlook> {
  const answer = await askStatus(temporal, run.workflowId, run.runId);
  if (isSilence(answer)) {
    const begun = await hasBegun(temporal, run);
    const will = begun ? silentWill(answer, run) : 'nothing was begun';
    return { run, begun, harmless: !begun, tooLate: false, will };
  }
  const begun = true;
  // Its plan is not made yet, or it leads others, none of which runs now.
  if (answer === 'starting') return { run, begun, harmless: true, tooLate: false, will: 'it begins nothing more' };
  const { ifCancelled } = answer;
  const tooLate = ifCancelled.comes === 'too late';
  return { run, begun, harmless: isHarmless(ifCancelled), tooLate, will: await willOf(temporal, run, answer) };
}

async function willOf(temporal: TemporalClient, run: LiveRun, { ifCancelled, reason }: RunStatus): Promise<string> {
  const words = cancellingInWords(ifCancelled);
  if (ifCancelled.comes === 'too late') return words;
  const queues = isHarmless(ifCancelled) ? [] : await unservedQueues(temporal, run.workflowId, run.runId);
  const stays = reason === 'routine' ? [] : [`${exposedValue(reason)} stays in use`];
  return [words, ...stays, ...queues.map((queue) => `but ${unservedText(queue)}`)].join('; ');
}

function silentWill(answer: Answer, { taskQueue, workflowId }: LiveRun): string {
  const until =
    answer === 'no worker'
      ? `a worker polls the task queue "${taskQueue}" (${invocation()} worker --task-queue ${taskQueue})`
      : 'a repaired worker runs';
  return `what it has begun is undone as soon as ${until}; until then it holds its name. If there will never be one: temporal workflow terminate --workflow-id ${quoteArgument(workflowId)} frees it and undoes nothing, and the next run settles what it left`;
}
