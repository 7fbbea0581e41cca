/**
 * Which runs `keyturn status REF` shows: those that go on, else the last ones. A shorter name (`SYSTEM/SECRET`, of backups `SYSTEM` or
 * `SYSTEM/ENV`) is that of a run that leads others; it has no steps of its own, so the others are shown, whoever had started them.
 */
import type { WorkflowExecutionDescription, WorkflowExecutionInfo } from '@temporalio/client';
import { KeyturnError } from '../domain/errors.js';
import { invocation } from './invocation.js';
import { idsOf, refOf } from './named-runs.js';
import { latestBelow } from './running.js';
import { describeRun, viewRun, type RunView } from './runs.js';
import type { TemporalClient } from './temporal.js';

export interface RunToShow extends RunView {
  /** The run that led others in this, and is over. */
  readonly led?: readonly string[];
  /** From before the run that led, which had not begun this one: since when that one had run. */
  readonly before?: string;
}

/** @throws KeyturnError `run-not-found`, `bad-reference`. */
export async function runsToShow(temporal: TemporalClient, text: string): Promise<RunToShow[]> {
  const found = await Promise.all(idsOf(text).map((workflowId) => find(temporal, workflowId)));
  const known = found.filter(({ own, below }) => own !== null || below.length > 0);
  const chosen = known.find(goesOn) ?? known[0];
  if (chosen) return await show(temporal, chosen);
  throw new KeyturnError('run-not-found', `no run of ${refOf(text)} is known to Temporal`, {
    hint: `see what runs: ${invocation()} status; what was done: ${invocation()} log`,
  });
}

interface Found {
  /** The run of exactly this name. */
  readonly own: WorkflowExecutionDescription | null;
  /** The latest of each name below it. */
  readonly below: readonly WorkflowExecutionInfo[];
}

async function find(temporal: TemporalClient, workflowId: string): Promise<Found> {
  const [own, below] = await Promise.all([describeRun(temporal, workflowId), latestBelow(temporal, workflowId)]);
  return { own, below };
}

function goesOn({ own, below }: Found): boolean {
  return [own, ...below].some((run) => run?.status.name === 'RUNNING');
}

async function show(temporal: TemporalClient, found: Found): Promise<RunToShow[]> {
  const { own, below } = found;
  const running = below.filter(({ status }) => status.name === 'RUNNING');
  if (running.length > 0) return await viewAll(temporal, running);
  if (own === null) return await viewAll(temporal, below);
  const leader = await viewRun(temporal, own);
  // Nothing more is known of it than that it goes on.
  if (below.length === 0 || leader.state === 'RUNNING') return [leader];
  const by = new Map(below.map((run) => [run.workflowId, begunBy(own, run)]));
  const views = await viewAll(temporal, below);
  const those = (begun: Begun): RunToShow[] => views.filter(({ workflowId }) => by.get(workflowId) === begun);
  // It is not the last word on any of them.
  if (those('later').length > 0) return views;
  const led = those('by it');
  const before = own.startTime.toISOString();
  return [
    { ...leader, led: led.map(({ workflowId }) => refOf(workflowId)) },
    ...led,
    ...those('before it').map((view) => ({ ...view, before })),
  ];
}

type Begun = 'by it' | 'before it' | 'later';

function begunBy(leader: WorkflowExecutionDescription, { parentExecution, startTime }: WorkflowExecutionInfo): Begun {
  if (parentExecution?.runId === leader.runId) return 'by it';
  return startTime < leader.startTime ? 'before it' : 'later';
}

async function viewAll(temporal: TemporalClient, runs: readonly WorkflowExecutionInfo[]): Promise<RunView[]> {
  const descriptions = await Promise.all(runs.map(({ workflowId, runId }) => describeRun(temporal, workflowId, runId)));
  return await Promise.all(descriptions.filter((one) => one !== null).map((one) => viewRun(temporal, one)));
}
