/** In which phases a run was listed, and what it had its worker do in each. */
import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../../src/domain/status.js';

/** `preparing: resolvePlan, checkReadiness`, in order. */
export async function phasesOf(handle: WorkflowHandle): Promise<string[]> {
  const phases: { readonly phase: string; readonly activities: string[] }[] = [];
  for (const event of (await handle.fetchHistory()).events ?? []) {
    const changed = event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields;
    const payload = changed?.[SEARCH_ATTRIBUTES.phase];
    if (payload) phases.push({ phase: defaultPayloadConverter.fromPayload<string>(payload), activities: [] });
    const activity = event.activityTaskScheduledEventAttributes?.activityType?.name;
    if (activity) phases.at(-1)?.activities.push(activity);
  }
  return phases.map(({ phase, activities }) => `${phase}: ${activities.join(', ')}`);
}
