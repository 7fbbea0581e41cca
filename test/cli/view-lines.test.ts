/** What `keyturn status REF` says of runs that are over, and the exit code that goes with it. */
import { expect, test } from 'vitest';
import { Console } from '../../src/cli/console.js';
import { invocation } from '../../src/cli/invocation.js';
import { exitCodeOfViews } from '../../src/cli/status.js';
import { viewLines, type ShownView } from '../../src/cli/view-lines.js';
import type { Outcome, RotationReport } from '../../src/domain/report.js';

const { paint } = new Console({ json: false, colour: false, env: {} });
const AT = '2026-11-21T10:00:00.000Z';

const view = (changes: Partial<ShownView> = {}): ShownView => ({
  workflowId: 'rotate:shop/production/SESSION_SECRET',
  runId: 'run',
  startedAt: AT,
  state: 'COMPLETED',
  status: null,
  ending: { reports: [], failure: null },
  taken: true,
  cancelRequested: false,
  unservedQueues: [],
  ...changes,
});

const ended = (environment: string, outcome: Outcome): ShownView => {
  const ref = `shop/${environment}/SESSION_SECRET`;
  const report: RotationReport = {
    ref,
    outcome,
    method: 'replace',
    operator: 'ana',
    requestId: 'run',
    startedAt: AT,
    finishedAt: AT,
    steps: [],
    refusals: [],
    proof: null,
    ledgerSequence: 7,
    nextDueAt: null,
    todo: [],
  };
  return view({ workflowId: `rotate:${ref}`, ending: { reports: [report], failure: null } });
};

const cancelled = { type: 'cancelled', message: 'Workflow canceled', hint: null };

test('a run for all environments that is over says what it has begun, and no more of its cancellation', () => {
  const leader = view({
    workflowId: 'rotate:shop/SESSION_SECRET',
    state: 'CANCELLED',
    status: 'starting',
    ending: { reports: [], failure: cancelled },
    led: ['shop/staging/SESSION_SECRET'],
  });
  expect(viewLines(leader, paint)).toEqual([
    `rotate:shop/SESSION_SECRET: cancelled, started ${AT}: it has begun shop/staging/SESSION_SECRET`,
  ]);
  expect(exitCodeOfViews([leader, ended('staging', 'completed')])).toBe(3);
});

test('of several environments what a person must look at gives the exit code, then who waits, then what went back', () => {
  expect(exitCodeOfViews([ended('staging', 'completed'), ended('production', 'aborted')])).toBe(3);
  expect(exitCodeOfViews([ended('staging', 'stopped'), ended('production', 'aborted')])).toBe(1);
  expect(exitCodeOfViews([ended('staging', 'completed'), ended('production', 'completed')])).toBe(0);
});

test('what an environment had before says so, and nothing of this run', () => {
  const earlier = { ...ended('production', 'stopped'), before: AT };
  expect(viewLines(earlier, paint)[0]).toBe(
    `not begun by the run for all that started at ${AT}; the last one before it:`,
  );
  expect(exitCodeOfViews([ended('staging', 'rejected'), earlier])).toBe(3);
});

test('a run that ended before any worker took it on has changed nothing, and is not said to have been broken off', () => {
  const message = 'cancelled by ben; no worker had taken it on, so nothing was begun';
  const untaken = view({
    state: 'TERMINATED',
    status: 'starting',
    taken: false,
    ending: { reports: [], failure: { type: 'TerminatedFailure', message, hint: null } },
  });
  expect(viewLines(untaken, paint)).toEqual([
    'shop/production/SESSION_SECRET: ended before any worker took it on, so nothing was begun',
    message,
  ]);
  expect(exitCodeOfViews([untaken])).toBe(3);
  expect(exitCodeOfViews([{ ...untaken, state: 'TIMED_OUT' }])).toBe(1);
});

test('a cancelled run whose worker is gone still counts as gone back, and the ledger is named', () => {
  const gone = view({ state: 'CANCELLED', status: 'no worker', ending: { reports: [], failure: cancelled } });
  expect(viewLines(gone, paint).at(-1)).toBe(
    `its steps are told by a worker, and none answers; what went into the ledger: ${invocation()} log shop/production/SESSION_SECRET`,
  );
  expect(exitCodeOfViews([gone])).toBe(3);
});

test('a cancellation that no worker has taken up is shown', () => {
  const silent = view({ state: 'RUNNING', status: 'no worker', ending: null, cancelRequested: true });
  expect(viewLines(silent, paint)).toEqual([
    `rotate:shop/production/SESSION_SECRET: running, started ${AT}`,
    'cancellation asked for',
    'no worker answers for this run; it goes on as soon as one does',
  ]);
});

test('a backup that was broken off is made again, not rotated', () => {
  const broken = view({
    workflowId: 'backup:shop/production/keys',
    state: 'TERMINATED',
    status: 'starting',
    ending: { reports: [], failure: { type: 'TerminatedFailure', message: 'by hand', hint: null } },
  });
  const text = viewLines(broken, paint).join('\n');
  expect(text).toContain(`${invocation()} backup shop/production/keys --operator YOUR-NAME`);
  expect(text).not.toMatch(/ (?:rotate|plan) shop/);
});
