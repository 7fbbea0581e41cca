/** What must hold of every run of every runbook, whatever became of it: by the world's end, its report and the ledger. */
import type { IfCancelled } from '../../../src/domain/cancelling.js';
import type { StepOutline } from '../../../src/domain/steps.js';
import { isExposed, type Reason } from '../../../src/domain/reason.js';
import type { RotationReport, StepRecord } from '../../../src/domain/report.js';
import { NEW_ROLE } from './plans.js';
import type { Picture, World } from './world/world.js';

export interface Disturbance {
  readonly way:
    | 'undisturbed'
    | 'crashed before'
    | 'answer lost'
    | 'failed before'
    | 'failed after'
    | 'cancelled before'
    | 'cancelled after'
    | 'cancelled, and done all the same'
    | 'terminated'
    | 'terminated, and the next one failed'
    | 'rejected';
  /** A call, or a gate. */
  readonly at: string;
  /** What a cancellation there would come to; null: the run did not know yet. */
  readonly outlook: IfCancelled | null;
}

export interface AttemptEnd {
  readonly runId: string;
  readonly calls: readonly string[];
  readonly outcome: string;
  readonly report: RotationReport | null;
}

export interface Ended {
  readonly disturbance: Disturbance;
  readonly reason: Reason;
  /** It changes no value. */
  readonly backup: boolean;
  readonly outline: readonly StepOutline[];
  readonly world: World;
  /** The last one is judged: after a terminated run that is the next. */
  readonly attempts: readonly AttemptEnd[];
}

/** What a look at one run needs of it. */
interface Look extends Ended {
  readonly last: AttemptEnd;
  readonly before: Picture;
  readonly after: Picture;
  /** Steps of the outline that were begun, in the outline's order. */
  readonly begun: readonly (StepOutline & { readonly record: StepRecord })[];
}

const BACK = ['rolled back', 'rejected', 'aborted', 'cancelled'];
/** Looked at once more after a decision: when it was begun first is not in the report. */
const AGAIN = ['stragglers'];
/** Before it is known that nothing stands in the way an attempt is none for the ledger. */
const PREPARING = /^(?:resolve|check)/;

export const INVARIANTS: Readonly<Record<string, (look: Look) => string[]>> = {
  'whoever runs has a value that is taken, at every instant': ({ world }) => [...world.broken],

  'it ends as what was done to it must end': (look) => {
    const { outcome } = look.last;
    const expected = endsOf(look);
    return expected.includes(outcome) ? [] : [`${outcome} instead of ${expected.join(' or ')}`];
  },

  'services run on one value, which the store shows as current': ({ last, world, backup }) => {
    if (backup || last.outcome === 'stopped') return [];
    const { store, services } = world.state;
    return Object.entries(services).flatMap(([name, { running, signs, accepts }]) =>
      running && signs === store.current && accepts.length === 0
        ? []
        : [
            `${name} ${running ? `has ${[signs, ...accepts].join(' and ')}` : 'does not run'}; the store ${store.current}`,
          ],
    );
  },

  'nothing staged is left': ({ last, after, world }) => {
    if (last.outcome === 'stopped') return [];
    const { pending, previous } = after;
    // One of a run that was terminated is not proven, and counts for nothing.
    const unproven = world.state.archives.filter(({ run, state }) => run === last.runId && state === 'made').length;
    return [
      ...(pending === null ? [] : [`pending: ${pending}`]),
      ...(previous === null ? [] : [`previous: ${previous}`]),
      ...(unproven === 0 ? [] : [`${unproven} archive(s) not proven, and not set aside`]),
    ];
  },

  'completed is said of a new value, all steps done, and an old value that is dead': (look) => {
    const { last, outline, world, before, after, backup } = look;
    if (last.outcome !== 'completed') return [];
    const { report } = last;
    const undone = outline.filter(({ title }) => stepOf(report, title)?.state !== 'done');
    const takenOver = look.attempts.length > 1;
    const todo = report?.todo ?? [];
    return [
      // A run that goes on from another may skip what that one did.
      ...(takenOver ? [] : undone.map(({ title }) => `"${title}" is ${stepOf(report, title)?.state ?? 'not there'}`)),
      ...(todo.length === 0 ? [] : [`left to people: ${todo.join('; ')}`]),
      ...(backup || after.current !== before.current ? [] : ['the old value is current']),
      ...(backup ? [] : world.aliveOf(before.current)),
      ...(backup || report?.proof?.proven ? [] : [`it says "not proven": ${report?.proof?.because ?? 'nothing'}`]),
    ];
  },

  'proven is said of an old value that is dead': ({ last, before, world }) =>
    last.report?.proof?.proven ? world.aliveOf(before.current) : [],

  'gone back, the world is as it was, but for what the report names': (look) => {
    const { last, before, after, attempts } = look;
    if (!BACK.includes(last.outcome) || attempts.length > 1) return [];
    const named = (last.report?.lasting ?? []).join('; ');
    const wanted = named.includes('sessions') ? { ...before, sessions: after.sessions } : before;
    return JSON.stringify(after) === JSON.stringify(wanted)
      ? []
      : [`${JSON.stringify(after)} instead of ${JSON.stringify(wanted)}; it names: ${named}`];
  },

  'gone back, every step that can be undone says so': ({ last, begun, backup, attempts }) =>
    // What a run has done again for an earlier one is taken back with that one's last step.
    attempts.length === 1 &&
    // A backup that is proven is not undone, and the report says that it counts.
    BACK.includes(last.outcome) &&
    !(backup && (last.report?.lasting ?? []).some((line) => line.includes('it counts')))
      ? begun
          .filter(({ undo, record }) => undo === 'undone on failure' && record.state !== 'undone')
          .map(({ title, record }) => `"${title}" is ${record.state}`)
      : [],

  'past the point of no return it only goes forward': ({ last, begun, world, before }) => {
    const past = begun.some(({ undo, key }) => undo === 'forward' && key !== 'record');
    if (!past) return [];
    const back = Object.entries(world.state.services).filter(([, { signs }]) => signs === before.current);
    return [
      ...(['completed', 'stopped'].includes(last.outcome) ? [] : [`${last.outcome}, past the point of no return`]),
      ...back.map(([name]) => `${name} is back on the old value`),
    ];
  },

  'an exposed value comes back only where a service cannot run on the new one, and the report says so': (look) => {
    const { last, reason, world, begun, disturbance } = look;
    if (!isExposed(reason) || !BACK.includes(last.outcome) || !world.newShown) return [];
    const { report } = last;
    const failed = begun.find(({ record }) => record.error !== undefined);
    const said = (report?.todo ?? []).some((line) => line.includes('serves again'));
    return [
      ...(disturbance.way.includes('failed') ? [] : [`it came back because the run was ${disturbance.way}`]),
      ...(failed?.undo === 'undone on failure' ? [] : [`it came back because of "${failed?.title ?? 'no step'}"`]),
      ...(said ? [] : ['the report does not say that it serves again']),
    ];
  },

  'the ledger has one row for each attempt that was one, and it says how that ended': (look) =>
    look.attempts.flatMap((attempt) => inLedger(look, attempt)),

  'steps are those of the outline, in its order, and the point of no return comes once': ({
    last,
    outline,
    ...look
  }) => {
    const begun = look.begun.filter(({ key }) => !AGAIN.includes(key));
    const times = begun.map(({ record }) => record.startedAt ?? '');
    const late = begun.filter((_, index) => (times[index] ?? '') < (times[index - 1] ?? ''));
    const forward = outline.findIndex(({ undo }) => undo === 'forward');
    const reversible = outline.slice(forward).filter(({ undo }) => undo === 'undone on failure');
    const missing = outline.filter(({ title }) => last.report && !stepOf(last.report, title));
    return [
      ...late.map(({ title }) => `"${title}" was begun before the step that comes before it`),
      ...(forward < 0 ? [] : reversible.map(({ title }) => `"${title}" can be undone, past the point of no return`)),
      ...missing.map(({ title }) => `"${title}" is not in the report`),
    ];
  },

  'stopped leaves a list for a person': ({ last }) =>
    last.outcome === 'stopped' && (last.report?.todo ?? []).length === 0 ? ['it is empty'] : [],
};

/** @returns a line for each thing that does not hold. */
export function brokenBy(ended: Ended): string[] {
  const last = ended.attempts.at(-1);
  if (!last) return ['it never began'];
  const begun = ended.outline.flatMap((step) => {
    const record = stepOf(last.report, step.title);
    // What is undone before the step itself was begun is of an earlier one.
    return record?.startedAt === undefined ? [] : [{ ...step, record }];
  });
  const look = { ...ended, last, begun, before: ended.world.before, after: ended.world.picture() };
  return Object.entries(INVARIANTS).flatMap(([name, holds]) => holds(look).map((line) => `${name}: ${line}`));
}

function endsOf({ disturbance: { way, at, outlook }, last, backup }: Look): readonly string[] {
  const tooLate = outlook?.comes === 'too late';
  switch (way) {
    case 'undisturbed':
    case 'crashed before':
    case 'answer lost':
      return ['completed'];
    case 'terminated':
      // Where nothing was left to be done, the next one finds no lost key, and does not begin.
      return last.report?.notBegun ? ['rolled back'] : ['completed'];
    case 'terminated, and the next one failed':
      return ['completed', 'rolled back', 'stopped'];
    case 'failed before':
    case 'failed after':
      // In whose turn a service is deployed is a courtesy.
      if (at.startsWith('findAhead')) return ['completed'];
      if (outlook === null) return at.startsWith('resolve') ? ['not begun'] : ['rolled back'];
      return tooLate ? ['stopped', 'rolled back'] : backup ? ['stopped', 'rolled back'] : ['rolled back'];
    case 'rejected':
      return ['rejected', 'stopped'];
    default:
      // Nothing was left to be undone: a backup that is proven counts.
      if (outlook?.comes === 'undone' && outlook.undoes.length === 0 && outlook.stays.length > 0)
        return ['cancelled', 'completed'];
      return tooLate ? ['completed'] : outlook?.comes === 'half done' ? ['stopped'] : ['cancelled'];
  }
}

function inLedger({ world, disturbance: { way, at } }: Look, { runId, calls, outcome }: AttemptEnd): string[] {
  const rows = world.state.ledger.filter(({ requestId }) => requestId === runId);
  const words = rows.map((row) => row.outcome).join(', ');
  const [few, many] = bounds();
  if (rows.length < few || rows.length > many) return [`${rows.length} rows of a run that was ${outcome} (${words})`];
  if (outcome === 'terminated' || disturbed()) return [];
  return rows.filter((row) => row.outcome !== outcome).map((row) => `"${row.outcome}" of a run that was ${outcome}`);

  function disturbed(): boolean {
    return at.startsWith('recordRotation') && way.startsWith('failed');
  }
  function bounds(): [number, number] {
    if (outcome === 'terminated' || disturbed()) return [0, 1];
    return calls.every((call) => PREPARING.test(call)) ? [0, 1] : [1, 1];
  }
}

function stepOf(report: RotationReport | null, title: string): StepRecord | undefined {
  // A run that goes on from another one has the role of that one.
  return report?.steps.find(({ name }) => name.replace(/app_[0-9a-f]{8}/, NEW_ROLE) === title);
}
