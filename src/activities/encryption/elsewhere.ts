/** A key tried on whatever the database holds besides the declared columns: what that means before a run, and before a key goes. */
import { openFinder } from '../../ciphers/open-cipher.js';
import { milliseconds } from '../../domain/durations.js';
import { KeyturnError } from '../../domain/errors.js';
import type { PlannedEncryption } from '../../domain/plan.js';
import type { Server } from '../../databases/server.js';
import { oneLine } from '../../processes/safe-text.js';
import { declarationOf } from '../../reencryption/children.js';
import { columnFacts, type ColumnFacts } from '../../reencryption/column-facts.js';
import { searchElsewhere, type Hit, type Search } from '../../reencryption/elsewhere/search.js';

export interface TriedElsewhere {
  /** Kept: nobody could read them without this key. */
  readonly needed: readonly Hit[];
  /** What the inventory says nobody needs. */
  readonly disposable: readonly Hit[];
  /** In words; null: the key was tried on all there is. */
  readonly untried: string | null;
  /** `tried on 40 other column(s) of 12 table(s)`, with what was not tried. */
  readonly summary: string;
}

/** Named in a message; all are counted. */
const NAMED = 10;
const LONGEST_NAME = 200;

/** @throws KeyturnError as Server. */
export async function tryElsewhere(
  { encryption, server, key }: { encryption: PlannedEncryption; server: Server; key: Buffer },
  when: keyof PlannedEncryption['search'],
): Promise<TriedElsewhere> {
  const columns: ColumnFacts[] = [];
  for (const column of encryption.columns) columns.push(await columnFacts({ server, column }));
  const formats = new Map(encryption.columns.map(({ format }) => [JSON.stringify(format), format]));
  const finders = [...formats.values()].map((format) => openFinder(format, key));
  const budget = milliseconds(encryption.search[when]);
  const found = await searchElsewhere({ server, columns, finders, budget });
  const given = (hit: Hit): boolean =>
    encryption.disposable.some(
      ({ table, column }) => column === hit.column && [hit.table, `${hit.schema}.${hit.table}`].includes(table),
    );
  const disposable = found.hits.filter(given);
  const needed = found.hits.filter((hit) => !given(hit));
  const untried = found.untried.length > 0 ? listed(found.untried) : null;
  return { needed, disposable, untried, summary: summaryOf(found, disposable, untried) };
}

function summaryOf({ columns, relations }: Search, disposable: readonly Hit[], untried: string | null): string {
  const tried = `tried on ${columns} other column(s) of ${relations} table(s)`;
  const given = disposable.length > 0 ? `; given up by the inventory: ${inWords(disposable)}` : '';
  const left = untried === null ? '' : `; not tried: ${untried}`;
  return `${tried}${given}${left}`;
}

/** `12 value(s) in public.audit.doc`. */
export function inWords(hits: readonly Hit[]): string {
  return listed(hits.map((hit) => `${hit.count} value(s) in ${nameOf(hit)}`));
}

/** What a person does about them. */
export function remedyFor(hits: readonly Hit[]): string {
  const views = hits.filter(({ kind }) => kind === 'm').map(({ schema, table }) => `${schema}.${table}`);
  const rest = hits.filter(({ kind }) => kind !== 'm');
  const declared = rest
    .slice(0, NAMED)
    .map(({ schema, table, column, path }) => declarationOf(`${schema}.${table}`, column, path));
  return [
    ...(views.length > 0 ? [`REFRESH MATERIALIZED VIEW ${listed([...new Set(views)])}`] : []),
    ...(declared.length > 0
      ? [
          `declare what is needed in encryption.columns: ${declared.join(', ')}; take values out of longer text; and name under encryption.disposable what nobody needs any more`,
        ]
      : []),
  ].join('; ');
}

function nameOf({ schema, table, column, path }: Hit): string {
  const shown = `${schema}.${table}.${column}${path && path.length > 0 ? ` (the first at ${path.join('/')})` : ''}`;
  return oneLine(shown, LONGEST_NAME);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).map((name) => oneLine(name, LONGEST_NAME));
  return `${shown.join(', ')}${names.length > NAMED ? `, and ${names.length - NAMED} more` : ''}`;
}

/** Of readiness. A materialized view shows what its tables hold, once it is refreshed: it stands in nobody's way yet. */
export function judgeBeforehand({
  needed,
  untried,
  disposable,
  summary,
}: TriedElsewhere): string | { warning: string } {
  const lost = needed.filter(({ kind }) => kind !== 'm');
  if (lost.length > 0) {
    throw new KeyturnError('undeclared-values', `the key in use reads ${inWords(lost)}, which nothing declares`, {
      hint: `they could not be read after it; ${remedyFor(lost)}`,
    });
  }
  if (needed.length > 0) {
    const refresh = `the key in use reads ${inWords(needed)}: once the rows are re-encrypted, ${remedyFor(needed)}; before that the old key is not destroyed`;
    return { warning: `${refresh}; ${summary}` };
  }
  return untried !== null || disposable.length > 0 ? { warning: summary } : `${summary}: nothing is under it`;
}
