/**
 * `previewRotation`: what `keyturn plan` shows. The plan as a run would pin it, and the questions of its first step, asked of the very
 * workers that would carry it out. It changes nothing, holds no lock, writes nothing into the ledger, and ends within minutes.
 */
import { setCurrentDetails, setDefaultSignalHandler } from '@temporalio/workflow';
import { parsePreviewInput, type PreviewInput, type RotateInput } from '../domain/messages.js';
import { NO_RUN, previewDetails, previewWorkflowId } from '../domain/preview.js';
import type { Preview, ReadinessLine } from '../domain/preview.js';
import type { RotationPlan } from '../domain/plan.js';
import type { SecretRef } from '../domain/refs.js';
import { looks } from './lib/activities.js';
import { asApplicationFailure, endsRun, hintOf, isUntaken, reasonOf } from './lib/failures.js';
import { refuseForeignLock } from './lib/foreign-lock.js';
import { tolerateUnreadableMessages } from './lib/unreadable-messages.js';

export async function previewRotation(input: unknown): Promise<Preview[]> {
  tolerateUnreadableMessages();
  setDefaultSignalHandler(() => undefined);
  const { flows, ...request } = parse(input);
  refuseForeignLock(previewWorkflowId(request, '…'));
  const { environment } = request;
  const refs =
    environment === undefined
      ? await looks('Find the environments').expandRequest(request)
      : [{ ...request, environment }];
  const previews = await Promise.all(refs.map((ref) => previewOne({ ...request, ...ref }, flows)));
  setCurrentDetails(previewDetails(previews));
  return previews;
}

async function previewOne(request: RotateInput & SecretRef, flows: boolean): Promise<Preview> {
  const plan = await looks('Read the inventory, as a run would').resolvePlan({ ...request, requestId: NO_RUN });
  try {
    const asks = looks('Ask what a run would ask first', plan.taskQueue);
    const { worker, lines } = await asks.askReadiness(plan, { flows });
    return { plan, worker, lines };
  } catch (error) {
    if (!endsRun(error)) throw error;
    return { plan, worker: null, lines: [unasked(plan, error)] };
  }
}

function unasked({ taskQueue }: RotationPlan, error: unknown): ReadinessLine {
  const hint = hintOf(error);
  const answer = isUntaken(error)
    ? `no worker polls the task queue "${taskQueue}", or those that do are too busy to answer: a run would wait there (keyturn worker --task-queue ${taskQueue})`
    : `${reasonOf(error)}${hint === null ? '' : ` (${hint})`}`;
  return { question: 'worker', state: 'problem', answer };
}

function parse(input: unknown): PreviewInput {
  try {
    return parsePreviewInput(input);
  } catch (error) {
    throw asApplicationFailure(error);
  }
}
