/**
 * Watching runs until they end, for `rotate --wait`. It only reads: when it is interrupted, or the worker or the server
 * goes away, the run goes on as it would have.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { cancellationUnderWay } from '../domain/cancelling.js';
import { KeyturnError } from '../domain/errors.js';
import { formatMilliseconds } from '../domain/durations.js';
import type { StepRecord } from '../domain/report.js';
import type { RunStatus } from '../domain/status.js';
import { diagnosisLines, stepLine } from './checklist.js';
import type { Console } from './console.js';
import { gateLines } from './gate-help.js';
import { invocation } from './invocation.js';
import { askStatus, describeRun, type Ending, isSilence, readEnding, SILENCE } from './runs.js';
import type { TemporalClient } from './temporal.js';
import { unservedQueues, unservedText } from './unserved.js';

const POLL_MS = 1_000;
/** A restarting server is back within seconds; after this long somebody should know. */
const UNREACHABLE_LIMIT_MS = 60_000;
/** Lines of what a failing service last said; `keyturn status` shows all. */
const DIAGNOSIS_ROOM = 12;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** A run to watch. In a rollout a child appears only when its turn comes. */
export interface Watched {
  readonly workflowId: string;
  readonly runId?: string;
  /** Only a run that this one started counts: an older run may lie under the same id. */
  readonly parent?: { readonly workflowId: string; readonly runId: string };
}

export type Seen = { readonly ended: Ending } | { readonly waitingAt: RunStatus } | 'interrupted';

export interface FollowOptions {
  readonly temporal: TemporalClient;
  readonly console: Console;
  readonly run: { readonly workflowId: string; readonly runId: string };
  /** The environments' runs when `run` is a rollout over several; otherwise `run` itself. */
  readonly watched: readonly Watched[];
  readonly stopAtGate: boolean;
  readonly signal: AbortSignal;
}

/** @throws KeyturnError `temporal-unavailable` after a minute without the server. */
export async function follow(options: FollowOptions): Promise<Seen> {
  const { temporal, console, run, signal } = options;
  const progress = options.watched.map((watched) => new Progress(watched, console));
  let lostSince: number | null = null;
  while (!signal.aborted) {
    try {
      const before = await describeRun(temporal, run.workflowId, run.runId);
      for (const one of progress) {
        const status = await one.look(temporal);
        if (status?.gate && options.stopAtGate) return { waitingAt: status };
      }
      // Asked before the look above, so that the last steps are printed even when the run ended in between.
      if (before && before.status.name !== 'RUNNING') return await ending(options, progress);
      if (lostSince !== null) console.say('Temporal answers again');
      lostSince = null;
    } catch (error) {
      if (!(error instanceof KeyturnError) || !error.retryable) throw error;
      if (lostSince === null)
        console.say(`Temporal does not answer; trying again for ${formatMilliseconds(UNREACHABLE_LIMIT_MS)}`);
      lostSince ??= Date.now();
      if (Date.now() - lostSince > UNREACHABLE_LIMIT_MS) throw stillRunning(error, run.workflowId);
    }
    await pause(progress, console, signal);
  }
  console.settle();
  return 'interrupted';
}

async function ending({ temporal, run, console }: FollowOptions, progress: readonly Progress[]): Promise<Seen> {
  const ended = await readEnding(temporal, run.workflowId, run.runId);
  const single = progress.length === 1;
  const reports = [];
  for (const one of progress) {
    // History has the report of a run that completed, was rejected or failed; a cancelled one only tells it when asked.
    const own = ended.reports.find((report) => single || report.ref === one.ref);
    const report = own ?? (await one.look(temporal))?.report;
    if (!report) continue;
    one.show(report.steps);
    reports.push(report);
  }
  console.settle();
  return { ended: { ...ended, reports } };
}

/** One run's steps as printed so far. */
class Progress {
  ref: string | null = null;
  readonly #shown = new Map<string, string>();
  /** Steps whose last words are on the screen: undoing one does not repeat them. */
  readonly #diagnosed = new Set<string>();
  #gate: string | null = null;
  #wait: string | null = null;
  #trouble: string | null = null;
  #cancellation: string | null = null;
  #workerLost = false;
  #looks = 0;
  #unserved = '';
  #current: StepRecord | null = null;

  constructor(
    readonly watched: Watched,
    readonly console: Console,
  ) {}

  async look(temporal: TemporalClient): Promise<RunStatus | null> {
    if (!(await this.#begun(temporal))) return null;
    const status = await askStatus(temporal, this.watched.workflowId, this.watched.runId);
    if (status === 'starting') return null;
    if (isSilence(status)) {
      if (!this.#workerLost) this.console.say(SILENCE[status]);
      this.#workerLost = true;
      return null;
    }
    if (this.#workerLost) this.console.say('a worker answers again');
    this.#workerLost = false;
    if (this.ref === null && this.watched.parent) this.console.say(this.console.paint.bold(status.ref));
    this.ref = status.ref;
    this.show(status.steps);
    this.#showWaits(status);
    await this.#showUnserved(temporal, status);
    return status;
  }

  show(steps: readonly StepRecord[]): void {
    this.#current = null;
    steps.forEach((step, index) => {
      const going = step.state === 'running' || step.state === 'waiting';
      if (going) this.#current = step;
      const key = `${index} ${step.name}`;
      if (step.state === 'to come' || this.#shown.get(key) === step.state) return;
      this.#shown.set(key, step.state);
      // On a terminal the moving line says what runs; in a log the start of a step is a line of its own.
      if (!going || !this.console.live) this.console.say(stepLine(step, this.console.paint));
      if (this.#diagnosed.has(key)) return;
      for (const line of diagnosisLines(step, this.console.paint, DIAGNOSIS_ROOM)) {
        this.#diagnosed.add(key);
        this.console.say(line);
      }
    });
  }

  spin(frame: string): void {
    if (!this.#current) return;
    const since = this.#current.startedAt === undefined ? 0 : Date.now() - Date.parse(this.#current.startedAt);
    const elapsed = since >= 1_000 ? ` ${formatMilliseconds(Math.floor(since / 1_000) * 1_000)}` : '';
    this.console.transient(`${frame} ${this.#current.name}${elapsed}`);
  }

  #showWaits(status: RunStatus): void {
    const cancellation = status.report ? null : status.cancellation;
    if (cancellation && cancellation.at !== this.#cancellation)
      this.console.say(cancellationUnderWay(cancellation, status.ifCancelled));
    this.#cancellation = cancellation?.at ?? null;
    const gate = status.gate && `${status.gate.name} ${status.gate.approvals.length}`;
    if (status.gate && gate !== this.#gate)
      gateLines(status.ref, status.gate).forEach((line) => this.console.say(line));
    this.#gate = gate;
    if (status.trouble !== null && status.trouble !== this.#trouble)
      this.console.say(`not done yet: ${status.trouble}`);
    this.#trouble = status.trouble;
    const wait = status.wait && `waits until ${status.wait.until}: ${status.wait.what}`;
    if (wait !== null && wait !== this.#wait) this.console.say(wait);
    this.#wait = wait;
  }

  /** Every ten seconds or so, while something should be going on. */
  async #showUnserved(temporal: TemporalClient, status: RunStatus): Promise<void> {
    this.#looks += 1;
    if (this.#looks % 10 !== 0 || status.gate || status.wait || status.report) return;
    const queues = await unservedQueues(temporal, this.watched.workflowId, this.watched.runId);
    const now = queues.map(unservedText).join('\n');
    if (now !== '' && now !== this.#unserved) this.console.say(now);
    this.#unserved = now;
  }

  async #begun(temporal: TemporalClient): Promise<boolean> {
    const { parent, workflowId } = this.watched;
    if (!parent || this.ref !== null) return true;
    const started = (await describeRun(temporal, workflowId))?.parentExecution;
    return started?.workflowId === parent.workflowId && started.runId === parent.runId;
  }
}

async function pause(progress: readonly Progress[], console: Console, signal: AbortSignal): Promise<void> {
  const frames = console.live ? 10 : 1;
  for (let frame = 0; frame < frames && !signal.aborted; frame += 1) {
    for (const one of progress) one.spin(FRAMES[frame % FRAMES.length] ?? '');
    // An abort ends the pause early; the caller looks at the signal itself.
    await sleep(POLL_MS / frames, undefined, { signal }).catch(() => undefined);
  }
}

function stillRunning(error: KeyturnError, workflowId: string): KeyturnError {
  return new KeyturnError(
    'temporal-unavailable',
    `${error.message}; ${workflowId} was started and is not watched any more`,
    {
      hint: `when Temporal is back: ${invocation()} status`,
      cause: error,
    },
  );
}
