/** What is lost, as people are told of it who decide whether to recover. */
import type { PlannedRecovery, RotationPlan } from '../../domain/plan.js';
import { formatRef } from '../../domain/refs.js';
import type { LossOfTable } from '../../reencryption/loss.js';

const NAMED = 10;
/** A question stays one that people read. */
const LONGEST_QUESTION = 1_500;

export function questionOf(
  { ref }: RotationPlan,
  { unreadable }: PlannedRecovery,
  tables: readonly LossOfTable[],
  tried: readonly string[],
): string {
  const lost = lostIn(tables);
  const moved = tables.reduce((sum, { quarantined }) => sum + quarantined, 0);
  const which = tables.flatMap(({ table, identities }) => identities.map((row) => `${table}: ${row}`));
  const named = `${which.slice(0, NAMED).join('; ')}${lost > NAMED ? '; …' : ''}`;
  // At the front, where no table is long enough to cut it off.
  const destroyed =
    unreadable === 'truncate' && lost + moved > 0
      ? ` At its end ${lost + moved} row(s) that no key reads are DESTROYED for good, entered again or not: a key that turns up later finds nothing.`
      : '';
  const becomes =
    lost > 0
      ? `${lost} row(s) that none of these keys reads are moved to a quarantine table and must be entered again: ${named}`
      : `an earlier run has ${moved > 0 ? 'moved' : 'destroyed'} them: this one goes on from there`;
  return `Recover ${formatRef(ref)}?${destroyed} ${tables.map(inWords).join('; ')}. ${tried.join(' ')} What can be read comes over to a fresh key; ${becomes}`.slice(
    0,
    LONGEST_QUESTION,
  );
}

export function inWords({ columns, quarantine }: LossOfTable): string {
  const said = columns.map(({ name, rows, empty, reads, lost }) => {
    const under = reads.filter((one) => one.rows > 0).map((one) => `${one.rows} under ${one.name}`);
    return `${name}: ${rows} rows, ${[...under, `${empty} empty`, `${lost} unreadable`].join(', ')}`;
  });
  return `${said.join('; ')}${quarantine === null ? '' : ` (quarantine ${quarantine})`}`;
}

export function lostIn(tables: readonly LossOfTable[]): number {
  return tables.reduce((sum, { lost }) => sum + lost, 0);
}
