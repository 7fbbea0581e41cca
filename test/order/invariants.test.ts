/** Each invariant finds what breaks it: otherwise the matrix would be green whatever the runbooks did. */
import { expect, test } from 'vitest';
import type { Outcome, RotationReport } from '../../src/domain/report.js';
import { brokenBy, INVARIANTS, type Ended } from './support/invariants.js';
import { backupPlan } from './support/plans.js';
import { outlineFor, RUNBOOKS } from './support/runbooks.js';
import { World } from './support/world/world.js';

const RUN = 'the run';
const OLD = 'the first value';
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A rotation of a session secret after a leak, as it ends when all is well. */
function ended(outcome: Outcome): Ended {
  const runbook = RUNBOOKS[0]!;
  const plan = { ...runbook.plan('SECRET', 'queue'), reason: 'leak' as const };
  const world = new World({ kind: runbook.kind, plan, backup: backupPlan(plan) });
  const outline = outlineFor(runbook, plan);
  const done = outcome === 'completed';
  if (done) {
    world.state.store.current = 'a new value';
    for (const service of Object.values(world.state.services)) service.signs = 'a new value';
  }
  const report: RotationReport = {
    ...{ ref: 'shop/production/SECRET', outcome, method: 'replace', operator: 'ana@example.test', requestId: RUN },
    ...{ startedAt: at(0), finishedAt: at(99), refusals: [], ledgerSequence: 1, nextDueAt: null, todo: [] },
    proof: done ? { proven: true, because: 'refused' } : null,
    steps: outline.map(({ title, undo }, index) =>
      done || index < 3
        ? { name: title, state: !done && undo === 'undone on failure' ? 'undone' : 'done', startedAt: at(index) }
        : { name: title, state: 'skipped' },
    ),
  };
  world.state.ledger.push({ ...report, kind: 'session', reason: 'leak', cadence: null, notes: '' });
  const calls = ['resolvePlan 1', 'checkReadiness 1', 'stageSecret 1', 'recordRotation 1'];
  const attempts = [{ runId: RUN, calls, outcome, report }];
  const disturbance = done
    ? ({ way: 'undisturbed', at: 'nowhere', outlook: null } as const)
    : ({ way: 'failed after', at: 'deployService 1', outlook: { comes: 'undone', undoes: [], stays: [] } } as const);
  return { disturbance, reason: 'leak', backup: false, outline, world, attempts };
}

function at(second: number): string {
  return new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
}

function lastOf({ attempts }: Ended): { outcome: string; report: Mutable<RotationReport> } {
  return attempts[0] as never;
}

/** What breaks it: of a run that completed, or that has gone back. */
const BREAKS: Record<keyof typeof INVARIANTS, [Outcome, (run: Ended) => void][]> = {
  'whoever runs has a value that is taken, at every instant': [
    ['completed', ({ world }) => world.broken.push('web: its credential is not let in')],
  ],
  'it ends as what was done to it must end': [
    ['completed', (run) => Object.assign(run, { disturbance: { way: 'rejected', at: 'promote', outlook: null } })],
  ],
  'services run on one value, which the store shows as current': [
    ['completed', ({ world }) => (world.state.services['web']!.signs = 'another value')],
    ['completed', ({ world }) => (world.state.services['web']!.accepts = ['another value'])],
    ['rolled back', ({ world }) => (world.state.services['jobs']!.running = false)],
  ],
  'nothing staged is left': [
    ['completed', ({ world }) => (world.state.store.previous = OLD)],
    ['rolled back', ({ world }) => (world.state.store.pending = 'a new value')],
    ['rolled back', ({ world }) => world.state.archives.push({ run: RUN, state: 'made' })],
  ],
  'completed is said of a new value, all steps done, and an old value that is dead': [
    ['completed', ({ world }) => (world.state.services['web']!.accepts = [OLD])],
    ['completed', ({ world }) => world.state.rows.push({ plain: 'a note', key: OLD })],
    ['completed', (run) => Object.assign(lastOf(run).report.steps[3]!, { state: 'skipped' })],
    ['completed', (run) => (lastOf(run).report.proof = { proven: false, because: 'nobody has tried' })],
    ['completed', (run) => (lastOf(run).report.todo = ['look by hand'])],
  ],
  'proven is said of an old value that is dead': [
    ['completed', ({ world }) => (world.state.services['web']!.accepts = [OLD])],
  ],
  'gone back, the world is as it was, but for what the report names': [
    ['rolled back', ({ world }) => (world.state.sessions = 0)],
    ['rolled back', ({ world }) => (world.state.roles['app_2'] = { password: null, login: true })],
    ['rolled back', ({ world }) => world.state.rows.push({ plain: 'a note', key: 'a new value' })],
  ],
  'gone back, every step that can be undone says so': [
    ['rolled back', (run) => Object.assign(lastOf(run).report.steps[1]!, { state: 'done' })],
  ],
  'past the point of no return it only goes forward': [
    ['completed', ({ world }) => (world.state.services['web']!.signs = OLD)],
    ['rolled back', (run) => Object.assign(lastOf(run).report.steps.at(-2)!, { state: 'done', startedAt: at(50) })],
  ],
  'an exposed value comes back only where a service cannot run on the new one, and the report says so': [
    ['rolled back', ({ world }) => (world.newShown = true)],
  ],
  'the ledger has one row for each attempt that was one, and it says how that ended': [
    ['completed', ({ world }) => world.state.ledger.splice(0)],
    ['completed', ({ world }) => world.state.ledger.push(world.state.ledger[0]!)],
    ['completed', ({ world }) => Object.assign(world.state.ledger[0]!, { outcome: 'stopped' })],
  ],
  'steps are those of the outline, in its order, and the point of no return comes once': [
    ['completed', (run) => Object.assign(lastOf(run).report.steps[1]!, { startedAt: at(90) })],
    [
      'completed',
      (run) => Object.assign(run, { outline: run.outline.map((step) => ({ ...step, title: `${step.title}!` })) }),
    ],
    [
      'completed',
      (run) =>
        Object.assign(run, {
          outline: run.outline.map((step) => ({
            ...step,
            undo: step.key === 'forget' ? 'undone on failure' : step.undo,
          })),
        }),
    ],
  ],
  'stopped leaves a list for a person': [['completed', (run) => (lastOf(run).outcome = 'stopped')]],
};

test.each(['completed', 'rolled back'] as const)('a run that is %s as it must be breaks none', (outcome) => {
  expect(brokenBy(ended(outcome))).toEqual([]);
});

test.each(Object.keys(INVARIANTS))('%s: what breaks it is found', (name) => {
  const breaks = BREAKS[name] ?? [];
  expect(breaks).not.toEqual([]);
  for (const [outcome, breakIt] of breaks) {
    const run = ended(outcome);
    breakIt(run);
    expect(brokenBy(run).filter((line) => line.startsWith(`${name}: `))).not.toEqual([]);
  }
});
