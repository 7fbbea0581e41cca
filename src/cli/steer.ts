/** `keyturn extend`, `drop-now` and `abort`: steer the wait in which an old database role is kept, by an update. */
import { KeyturnError } from '../domain/errors.js';
import { ABORT, parseSteer, type Steer } from '../domain/messages.js';
import { formatRef, rotationWorkflowId, type SecretSelector } from '../domain/refs.js';
import type { SteerResult } from '../workflows/lib/steering.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { invocation, quoteArgument } from './invocation.js';
import { listHolding } from './running.js';
import { queryStatus } from './runs.js';
import { selectorArgument } from './selectors.js';
import { sendUpdate } from './send-update.js';
import type { TemporalClient } from './temporal.js';
import { withTemporal } from './with-temporal.js';
import { typedInput } from './typed-input.js';

export interface SteerOptions {
  readonly as: string;
  readonly note?: string;
}

/** @param longer of `extend` only: how much longer, counted from the deadline that stands. */
export async function steer(
  context: Context,
  verb: Steer,
  refText: string,
  { as: by, note }: SteerOptions,
  longer?: string,
): Promise<ExitCode> {
  const selector = selectorArgument(refText);
  const input = typedInput(
    () =>
      parseSteer(verb, {
        by,
        ...(note === undefined ? {} : { note }),
        ...(longer === undefined ? {} : { for: longer }),
      }),
    `${verb.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${refText}${longer === undefined ? '' : ' 6h'} --as ben@example.test`,
  );
  return withTemporal(context, async ({ temporal }) => {
    const { refs, others } = await steerable(temporal, selector, verb);
    const steered: (SteerResult & { ref: string })[] = [];
    for (const ref of refs) {
      const result = await sendUpdate<SteerResult>(temporal, {
        name: verb,
        workflowId: rotationWorkflowId(ref),
        input,
        ref: formatRef(ref),
      });
      steered.push({ ref: formatRef(ref), ...result });
      if (!context.console.json) context.console.say(sentence(formatRef(ref), result));
    }
    const goOn = verb === ABORT ? others : [];
    context.console.document({ by: input.by, steered, ...(verb === ABORT ? { goOn } : {}) });
    for (const ref of goOn) {
      context.console.note(
        `error: ${ref} is not aborted: it goes on now; one of the same rollout goes back once it has got as far\n` +
          `hint: to have it undone at once: ${invocation()} cancel ${ref} --as ${quoteArgument(by)}`,
      );
    }
    return goOn.length > 0 ? EXIT.failed : EXIT.done;
  });
}

interface Steerable {
  readonly refs: readonly SecretSelector[];
  /** Environments' runs that go on and do not wait so. */
  readonly others: readonly string[];
}

/** `SYSTEM/SECRET` means every environment whose run waits in a way that can be steered so. @throws KeyturnError `run-not-found`. */
async function steerable(temporal: TemporalClient, selector: SecretSelector, verb: Steer): Promise<Steerable> {
  if (selector.environment !== undefined) return { refs: [selector], others: [] };
  const running = (await listHolding(temporal, selector)).filter((run) => run.selector.environment !== undefined);
  const open: SecretSelector[] = [];
  const others: string[] = [];
  for (const run of running) {
    const status = await queryStatus(temporal, run.workflowId, run.runId);
    if (status?.steering.includes(verb)) open.push(run.selector);
    else others.push(run.ref);
  }
  if (open.length > 0) return { refs: open, others };
  throw new KeyturnError(
    'run-not-found',
    `no run of ${formatRef(selector)} is in a wait that can be steered so (${running.length === 0 ? 'none is running' : `${running.length} running`})`,
    { hint: `see what runs: ${invocation()} status` },
  );
}

function sentence(ref: string, { steer: verb, until }: SteerResult): string {
  if (verb === 'extend') return `${ref}: waits until ${until ?? 'later'} now`;
  if (verb === 'tryAgain') return `${ref}: it is tried again now`;
  if (verb === 'goOnWithout') return `${ref}: goes on without it`;
  if (verb === 'stopHere') return `${ref}: stops, with a list of what a person must do`;
  if (verb === 'abort')
    return `${ref}: aborted, and now being undone; see what it comes to: ${invocation()} status ${ref}`;
  return `${ref}: the wait is over; see what it asks for: ${invocation()} status ${ref}`;
}
