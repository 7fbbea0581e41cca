/** What runs now. A run's id says what it is about: `rotate:SYSTEM/ENV/SECRET`, `backup:SYSTEM/ENV/NAME`; it is the lock too. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { formatBackup, parseBackupSelector } from '../domain/backup.js';
import { formatRef, parseSelector, type SecretSelector } from '../domain/refs.js';
import { QUERIES, runningQuery } from './links.js';
import { fromTemporal, isUnknownSearchAttribute, type TemporalClient } from './temporal.js';

/** More runs than people look at in a terminal; the UI's list takes over from there. */
const LIST_LIMIT = 200;

export interface RunningEntry {
  /** `SYSTEM/ENV/SECRET`, or of a backup `SYSTEM/ENV/NAME`; shorter for a run that leads several. */
  readonly ref: string;
  /** It starts the runs of several environments or backups, and waits for them. */
  readonly leads: boolean;
  readonly workflowType: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly startedAt: string;
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

async function list<T extends RunningEntry>(
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
  return found.sort((one, other) => one.startedAt.localeCompare(other.startedAt));
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

function factsOf({ type, workflowId, runId, startTime }: WorkflowExecutionInfo): Omit<RunningEntry, 'ref' | 'leads'> {
  return { workflowType: type, workflowId, runId, startedAt: startTime.toISOString() };
}

function matches(candidate: SecretSelector, wanted: SecretSelector): boolean {
  if (candidate.system !== wanted.system || candidate.secret !== wanted.secret) return false;
  return wanted.environment === undefined || candidate.environment === wanted.environment;
}
