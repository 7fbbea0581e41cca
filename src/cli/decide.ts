/** `keyturn approve` and `keyturn reject`: decide the open gate by an update, so that a refusal comes back with its reason. */
import { KeyturnError } from '../domain/errors.js';
import { parseDecision } from '../domain/messages.js';
import { formatRef, rotationWorkflowId, type SecretSelector } from '../domain/refs.js';
import type { DecisionResult } from '../workflows/lib/gate-messages.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { runLink } from './links.js';
import { invocation } from './invocation.js';
import { assertKnownSecret } from './known-secret.js';
import { listHolding } from './running.js';
import { describeRun, queryStatus } from './runs.js';
import { selectorArgument } from './selectors.js';
import { sendUpdate } from './send-update.js';
import type { TemporalClient } from './temporal.js';
import { withTemporal } from './with-temporal.js';
import { typedInput } from './typed-input.js';

export interface DecideOptions {
  readonly as: string;
  readonly gate?: string;
  readonly plan?: string;
  readonly note?: string;
}

export async function decide(
  context: Context,
  verb: 'approve' | 'reject',
  refText: string,
  options: DecideOptions,
): Promise<ExitCode> {
  const selector = selectorArgument(refText);
  const { as: by, ...bound } = options;
  const decision = typedInput(() => parseDecision({ by, ...bound }), `${verb} ${refText} --as ben@example.test`);
  return withTemporal(context, async ({ temporal, ui }) => {
    const ref = await decidable(temporal, selector).catch(whenUnknown(context, selector));
    const workflowId = rotationWorkflowId(ref);
    const result = await sendUpdate<DecisionResult>(temporal, {
      name: verb,
      workflowId,
      input: decision,
      ref: formatRef(ref),
    }).catch(whenUnknown(context, selector));
    const url = runLink(ui, workflowId, (await describeRun(temporal, workflowId))?.runId);
    context.console.document({ ref: formatRef(ref), workflowId, url, decision: verb, by: decision.by, ...result });
    if (!context.console.json) context.console.say(sentence(formatRef(ref), result));
    return EXIT.done;
  });
}

/** No such run: because there is no such secret, perhaps. @throws KeyturnError `unknown-secret`; else the error itself. */
function whenUnknown(context: Context, selector: SecretSelector) {
  return async (error: unknown): Promise<never> => {
    if (error instanceof KeyturnError && error.code === 'run-not-found') await assertKnownSecret(context, selector);
    throw error;
  };
}

/** `SYSTEM/SECRET` means the one environment whose run has an open gate. @throws KeyturnError `run-not-found`, `ambiguous`. */
async function decidable(temporal: TemporalClient, selector: SecretSelector): Promise<SecretSelector> {
  if (selector.environment !== undefined) return selector;
  const running = (await listHolding(temporal, selector)).filter((run) => run.selector.environment !== undefined);
  const open: SecretSelector[] = [];
  for (const run of running) {
    const status = await queryStatus(temporal, run.workflowId, run.runId);
    if (status?.gate) open.push(run.selector);
  }
  const [only, ...others] = open;
  if (only && others.length === 0) return only;
  const names = open.map(formatRef).join(', ');
  if (only) {
    throw new KeyturnError('ambiguous', `${open.length} runs of ${formatRef(selector)} wait for a decision`, {
      hint: `name one of ${names}`,
    });
  }
  const count = running.length;
  throw new KeyturnError(
    'run-not-found',
    `no run of ${formatRef(selector)} waits for a decision (${count === 0 ? 'none is running' : `${count} running`})`,
    { hint: `see what runs: ${invocation()} status` },
  );
}

function sentence(ref: string, { gate, state, approvals, needed }: DecisionResult): string {
  if (state !== 'more approvals needed') return `${ref}: gate "${gate}" ${state}`;
  return `${ref}: gate "${gate}" has ${approvals} of ${needed} approvals; ${needed - approvals} more needed`;
}
