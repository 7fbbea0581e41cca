/** What runs now. A run's id says what it is about: `rotate:SYSTEM/ENV/SECRET`, `backup:SYSTEM/ENV/NAME`; it is the lock too. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { z } from 'zod';
import { formatBackup, parseBackupSelector } from '../domain/backup.js';
import { BACKUP_WORKFLOW_TYPE } from '../domain/messages.js';
import { formatRef, parseSelector, type SecretSelector } from '../domain/refs.js';
import { LIST_NOTE, SEARCH_ATTRIBUTES, type ListNote } from '../domain/status.js';
import { belongsTo, QUERIES, runningQuery } from './links.js';
import { fromTemporal, isUnknownSearchAttribute, type TemporalClient } from './temporal.js';

/** What Temporal lists at once. More runs than people look at in a terminal; the UI's list takes over from there. */
export const LIST_LIMIT = 1_000;

export interface RunningEntry {
  /** `SYSTEM/ENV/SECRET`, or of a backup `SYSTEM/ENV/NAME`; shorter for a run that leads several. */
  readonly ref: string;
  /** It starts the runs of several environments or backups, and waits for them. */
  readonly leads: boolean;
  readonly workflowType: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly startedAt: string;
  readonly shown: ShownInList;
}

/** What a run lets the list show of it, without being asked. */
export interface ShownInList {
  /** null: no worker has begun it, or it leads others. */
  readonly phase: string | null;
  /** null: nothing was waited for yet. */
  readonly note: ListNote | null;
  /** Whose worker carries the workflow out, and whose its steps. */
  readonly taskQueues: { readonly workflow: string; readonly steps: string | null };
  /** Temporal's own word for a run whose code fails on its worker again and again. */
  readonly failing: boolean;
}

export interface RunningRotation extends RunningEntry {
  readonly selector: SecretSelector;
}

/** Every runbook, oldest first: rotations of all kinds, recoveries, backups. Runs under other ids only start those and wait. */
export function listRunning(temporal: TemporalClient): Promise<RunningEntry[]> {
  return list(temporal, QUERIES.running, (info) => rotationOf(info) ?? backupOf(info));
}

/** Those that hold this secret, oldest first: rotations of all kinds and recoveries. */
export function listHolding(temporal: TemporalClient, wanted: SecretSelector): Promise<RunningRotation[]> {
  return list(temporal, runningQuery(wanted.system, wanted.secret), (info) => {
    const entry = rotationOf(info);
    return entry && matches(entry.selector, wanted) ? entry : null;
  });
}

/** Of each name that is longer than this one, the latest run, ended ones too, oldest first. @param workflowId of all environments, or backups. */
export async function latestBelow(temporal: TemporalClient, workflowId: string): Promise<WorkflowExecutionInfo[]> {
  const latest = new Map<string, WorkflowExecutionInfo>();
  const keep = (info: WorkflowExecutionInfo): WorkflowExecutionInfo | null => (isBelow(info, workflowId) ? info : null);
  const query = belowQuery(workflowId);
  if (query === null) return [];
  for (const info of await listed(temporal, query, keep)) {
    const known = latest.get(info.workflowId);
    if (!known || known.startTime < info.startTime) latest.set(info.workflowId, info);
  }
  return [...latest.values()].sort((one, other) => one.startTime.getTime() - other.startTime.getTime());
}

/** null: nothing is below it. */
function belowQuery(workflowId: string): string | null {
  const [kind, ref = ''] = workflowId.split(':');
  const parts = ref.split('/');
  if (parts.length > 2) return null;
  const [system = '', second] = parts;
  if (kind === 'rotate') return second === undefined ? null : belongsTo(system, second);
  return `WorkflowType = "${BACKUP_WORKFLOW_TYPE}" AND WorkflowId STARTS_WITH "${workflowId}/"`;
}

function isBelow({ workflowId }: WorkflowExecutionInfo, shorter: string): boolean {
  const ids = [workflowId, shorter].map((id) => id.split(/[:/]/));
  const [[kind, system, environment, name] = [], [wanted, wantedSystem, second] = []] = ids;
  if (kind !== wanted || system !== wantedSystem || name === undefined) return false;
  return kind === 'rotate' ? name === second : second === undefined || environment === second;
}

async function list<T extends RunningEntry>(
  temporal: TemporalClient,
  query: string,
  entryOf: (info: WorkflowExecutionInfo) => T | null,
): Promise<T[]> {
  const found = await listed(temporal, query, entryOf);
  return found.sort((one, other) => one.startedAt.localeCompare(other.startedAt));
}

async function listed<T>(
  temporal: TemporalClient,
  query: string,
  entryOf: (info: WorkflowExecutionInfo) => T | null,
): Promise<T[]> {
  const found: T[] = [];
  try {
    for await (const info of temporal.client.workflow.list({ query, pageSize: LIST_LIMIT })) {
      const entry = entryOf(info);
      if (entry) found.push(entry);
      if (found.length >= LIST_LIMIT) break;
    }
  } catch (error) {
    // No worker has ever registered Keyturn's search attributes here, so nothing can be running.
    if (isUnknownSearchAttribute(error)) return [];
    throw fromTemporal(error, temporal.address);
  }
  return found;
}

function rotationOf(info: WorkflowExecutionInfo): RunningRotation | null {
  const selector = named(info, 'rotate:', parseSelector);
  if (!selector) return null;
  return { ...factsOf(info), selector, ref: formatRef(selector), leads: selector.environment === undefined };
}

function backupOf(info: WorkflowExecutionInfo): RunningEntry | null {
  const selector = named(info, 'backup:', parseBackupSelector);
  if (!selector) return null;
  return { ...factsOf(info), ref: formatBackup(selector), leads: selector.backup === undefined };
}

/** null: the id is somebody else's. */
function named<T>({ workflowId }: WorkflowExecutionInfo, prefix: string, parse: (text: string) => T): T | null {
  if (!workflowId.startsWith(prefix)) return null;
  try {
    return parse(workflowId.slice(prefix.length));
  } catch {
    return null;
  }
}

function factsOf(info: WorkflowExecutionInfo): Omit<RunningEntry, 'ref' | 'leads'> {
  const { type, workflowId, runId, startTime } = info;
  return { workflowType: type, workflowId, runId, startedAt: startTime.toISOString(), shown: shownInList(info) };
}

function shownInList({ typedSearchAttributes, memo, taskQueue }: WorkflowExecutionInfo): ShownInList {
  const attributes = new Map(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]));
  const text = (name: string): string | null => {
    const value = attributes.get(name);
    return typeof value === 'string' ? value : null;
  };
  return {
    phase: text(SEARCH_ATTRIBUTES.phase),
    note: (listNote.safeParse(memo?.[LIST_NOTE]).data as ListNote | undefined) ?? null,
    taskQueues: { workflow: taskQueue, steps: text(SEARCH_ATTRIBUTES.taskQueue) },
    failing: attributes.has('TemporalReportedProblems'),
  };
}

/** Commands are made of it, and whoever may write to the namespace can start a run with a memo of his own. */
const text = z.string().max(2_000);
const openGate = z.looseObject({
  name: z.string().regex(/^[\w@.: -]{1,60}$/),
  plan: z.string().regex(/^[\w@-]{1,128}$/),
  expiresAt: text,
  approvals: z.array(z.looseObject({ by: text })).max(100),
  approversNeeded: z.number(),
  allowed: z.array(text).max(1_000).nullable(),
  requester: text,
  requesterMayApprove: z.boolean(),
});
const listNote = z.object({
  step: text.nullable(),
  gate: openGate.nullable(),
  wait: z.object({ what: text, until: text }).nullable(),
  trouble: text.nullable(),
  cancellation: z.object({ by: text.nullable(), at: text, tooLate: text.nullable() }).nullable(),
});

function matches(candidate: SecretSelector, wanted: SecretSelector): boolean {
  if (candidate.system !== wanted.system || candidate.secret !== wanted.secret) return false;
  return wanted.environment === undefined || candidate.environment === wanted.environment;
}
