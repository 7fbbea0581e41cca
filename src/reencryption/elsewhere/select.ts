/**
 * The SELECT that sends what could hold a value of the key, and as little else as the server can leave out. Nothing in it resolves to
 * what an application may have defined: functions, operators, types and collations are the catalogue's own, and a plain column
 * is read as it is stored.
 */
import pg from 'pg';
import type { Finder } from '../../ciphers/finder.js';
import type { ColumnFacts } from '../column-facts.js';
import type { Place, PlaceColumn } from './places.js';

const quote = pg.escapeIdentifier;
const literal = pg.escapeLiteral;

/** A value above this is not fetched: a message of the protocol is held in memory as a whole. Compressed, where it is stored so. */
const LARGEST_BYTES = 32 * 1024 * 1024;

export interface Tried {
  readonly column: PlaceColumn;
  /** What stands in the column, but for rows that are declared as a whole. */
  readonly expression: string;
  /** Of documents: values that are declared and stand in them. */
  readonly declared: readonly string[];
}

/** Columns that are declared as a whole are left out: their rows are read one by one anyway. */
export function triedIn(place: Place, columns: readonly ColumnFacts[]): Tried[] {
  return place.columns.flatMap((column): Tried[] => {
    const own = columns.filter(
      (facts) =>
        facts.column === column.name &&
        place.ancestors.some(([schema, table]) => schema === facts.schema && table === facts.table),
    );
    if (own.some(({ path, condition }) => path === null && condition === null)) return [];
    const name = `t.${quote(column.name)}`;
    const whole = own.flatMap(({ path, condition }) => (path === null && condition !== null ? [condition] : []));
    return [
      {
        column,
        expression: whole.length > 0 ? `CASE WHEN ${whole.join(' OR ')} THEN NULL ELSE ${name} END` : name,
        declared: own.flatMap(({ path, condition }) => (path === null ? [] : [valueAt(name, path, condition)])),
      },
    ];
  });
}

function valueAt(name: string, path: readonly string[], condition: string | null): string {
  const value = `${name}::pg_catalog.jsonb OPERATOR(pg_catalog.#>>) ARRAY[${path.map(literal).join(', ')}]::pg_catalog.text[]`;
  return condition === null ? value : `CASE WHEN ${condition} THEN ${value} END`;
}

/** For each column: whether it is too large, its value if it may hold one, what is declared of it; then what is authenticated. */
export function selectOf(
  { schema, table }: Place,
  tried: readonly Tried[],
  finders: readonly Finder[],
  associated: readonly string[],
): string {
  const parts = tried.map(({ column, expression, declared }) => {
    const value = `(${expression})`;
    const large = `coalesce(pg_catalog.pg_column_size(${value}) OPERATOR(pg_catalog.>) ${LARGEST_BYTES}, false)`;
    return { value, large, may: mayHold(column, value, finders), declared };
  });
  const fields = parts.flatMap(({ value, large, may, declared }) => [
    large,
    `CASE WHEN NOT ${large} AND ${may} THEN ${value} END`,
    ...declared,
  ]);
  const row = associated.map((name) => `t.${quote(name)}::pg_catalog.text`);
  return `SELECT ${[...fields, ...row].join(', ')} FROM ONLY ${quote(schema)}.${quote(table)} AS t
     WHERE ${parts.map(({ large, may }) => `${large} OR ${may}`).join(' OR ')}`;
}

/** NULL and false: it cannot. */
function mayHold({ type }: PlaceColumn, value: string, finders: readonly Finder[]): string {
  const each = finders.map(({ mark, shortest, firstByte }) => {
    switch (type) {
      case 'text':
      case 'json':
      case 'jsonb':
      case 'texts': {
        const text = `(${value}::pg_catalog.text COLLATE pg_catalog."C")`;
        if (mark !== null) return `pg_catalog.strpos(${text}, ${literal(mark)}) OPERATOR(pg_catalog.>) 0`;
        return type === 'text' ? `pg_catalog.octet_length(${text}) OPERATOR(pg_catalog.>=) ${shortest}` : 'true';
      }
      case 'bytea': {
        const bytes = `${value}::pg_catalog.bytea`;
        const long = `pg_catalog.octet_length(${bytes}) OPERATOR(pg_catalog.>=) ${shortest}`;
        if (mark === null) return long;
        const marked = `pg_catalog."position"(${bytes}, ${literal(`\\x${Buffer.from(mark).toString('hex')}`)}::pg_catalog.bytea) OPERATOR(pg_catalog.>) 0`;
        const first = `pg_catalog.get_byte(${bytes}, 0) OPERATOR(pg_catalog.=) ${firstByte ?? 0}`;
        return `CASE WHEN ${long} THEN ${firstByte === null ? marked : `${first} OR ${marked}`} END`;
      }
      case 'byteas':
      case 'other':
        return 'true';
    }
  });
  const may = [...new Set(each)].join(' OR ');
  return `(${value} IS NOT NULL AND (${may}))`;
}
