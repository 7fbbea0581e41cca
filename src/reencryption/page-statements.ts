/** The SQL of one column: reading a page by its key, and writing it with compare-and-swap on what was read. */
import pg from 'pg';
import type { ColumnFacts, KeyColumn } from './column-facts.js';
import type { Cursor, KeyRange } from './key-range.js';

export interface PageStatements {
  /**
   * One row: how many rows the page has, the last key as text (a column each), then arrays: each key column, the values, where the
   * rows stand (hasPlaces), and what else their authentication covers (if anything). Where values are long it may be fewer rows than
   * `limit` though there are more. @param after exclusive; null: from the beginning of the range.
   */
  select(range: KeyRange, after: Cursor | null, limit: number): string;
  /** Parameters: the arrays as they were read but for the places, with the fresh values after the old. */
  readonly update: string;
  /**
   * The same with the places as last parameter: no index is gone through, which is a sixth of what writing costs the server. A row
   * that has moved since is not written, though its value may be what it was. null: hasPlaces is false.
   */
  readonly updateInPlace: string | null;
  /** The same for rows that nobody has locked; it never waits for a row, and so is never part of a deadlock. */
  readonly updateUnlocked: string;
  /** Keys as text, from arrays of them (parameters). */
  readonly keysAsText: string;
  /** Rows of a sample, read like a page. @param percent of the table's blocks. */
  sample(percent: number, limit: number): string;
}

/** Of long values a page has fewer: what it takes in memory, here and on the server, is bounded, not how many rows it has. */
export const PAGE_BYTES = 4 * 1024 * 1024;

const quote = pg.escapeIdentifier;
const literal = pg.escapeLiteral;

export function pageStatements(facts: ColumnFacts): PageStatements {
  const { keys } = facts;
  const source = tableOf(facts);
  const value = valueOf(facts);
  const associated = associatedOf(facts);
  const names = keys.map((_, index) => `k${index}`);
  const keyColumns = keys.map((key) => `t.${quote(key.name)}`);
  const listed = keys.map((key, index) => `${transported(key)} AS k${index}`);
  const places = hasPlaces(facts);
  const row = [
    ...listed,
    `${value} AS v`,
    ...(places ? ['t.ctid AS p'] : []),
    ...(associated === null ? [] : [`${associated} AS a`]),
  ].join(', ');
  const arrays = [
    ...names.map((name) => `array_agg(${name})`),
    'array_agg(v)',
    ...(places ? ['array_agg(p)'] : []),
    ...(associated === null ? [] : ['array_agg(a)']),
  ];
  const last = names.map((name) => `(array_agg(${name}))[count(*)::int]::text`);
  const gathered = `SELECT ${['count(*)::int', ...last, ...arrays].join(', ')}`;

  /** Rows until there are enough bytes: those up to the one with which the bound is reached, at least one. */
  const bounded = (rows: string): string =>
    facts.longValues
      ? `SELECT * FROM (SELECT q.*, sum(coalesce(octet_length(v), 0)) OVER (ROWS UNBOUNDED PRECEDING) - coalesce(octet_length(v), 0) AS before
           FROM (${rows}) q) r WHERE before < ${PAGE_BYTES}`
      : rows;
  const bound = (operator: '>' | '<=', cursor: Cursor | null): string[] => {
    if (cursor === null) return [];
    const values = keys.map(({ type }, index) => `${literal(cursor[index] ?? '')}::${type}`);
    return [`(${keyColumns.join(', ')}) ${operator} (${values.join(', ')})`];
  };
  const where = (conditions: readonly string[]): string =>
    conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const meant = facts.condition === null ? [] : [facts.condition];

  const types = [
    ...keys.map(({ type, asText }) => (asText ? 'text' : type)),
    ...(facts.kind === 'bytea' ? ['bytea', 'bytea'] : ['text', 'text']),
    ...(associated === null ? [] : ['text']),
  ];
  const fields = [...names, 'was', 'fresh', ...(associated === null ? [] : ['a'])];
  const batchOf = (all: readonly string[], called: readonly string[]): string =>
    `unnest(${all.map((type, index) => `$${index + 1}::${type}[]`).join(', ')}) AS n(${called.join(', ')})`;
  const batch = batchOf(types, fields);
  const sameKey = (other: string): string =>
    keys
      .map((key, index) => `t.${quote(key.name)} = ${other}.k${index}${key.asText ? `::${key.type}` : ''}`)
      .join(' AND ');
  const unchanged = (other: string): string =>
    [
      `${value}${facts.kind === 'bytea' ? '' : ' COLLATE "C"'} = ${other}.was`,
      ...(associated === null ? [] : [`${associated} COLLATE "C" = ${other}.a`]),
    ].join(' AND ');
  const set = `UPDATE ${source} AS t SET ${quote(facts.column)} = ${freshOf(facts)}`;

  return {
    select: (range, after, limit) =>
      `${gathered} FROM (${bounded(
        `SELECT ${row} FROM ${source} AS t${where([
          ...bound('>', after ?? range.after),
          ...bound('<=', range.upTo),
          ...meant,
        ])} ORDER BY ${keyColumns.join(', ')} LIMIT ${limit}`,
      )}) p`,
    updateInPlace: places
      ? `${set} FROM ${batchOf([...types, 'tid'], [...fields, 'p'])} WHERE t.ctid = n.p AND ${sameKey('n')} AND ${unchanged('n')}`
      : null,
    update: `${set} FROM ${batch} WHERE ${sameKey('n')} AND ${unchanged('n')}`,
    updateUnlocked: `WITH n AS MATERIALIZED (SELECT n.* FROM ${batch} JOIN ${source} AS t ON ${sameKey('n')} AND ${unchanged('n')}
      FOR NO KEY UPDATE OF t SKIP LOCKED) ${set} FROM n WHERE ${sameKey('n')} AND ${unchanged('n')}`,
    keysAsText: `SELECT ${names.map((name) => `${name}::text`).join(', ')} FROM unnest(${keys
      .map(({ type, asText }, index) => `$${index + 1}::${asText ? 'text' : type}[]`)
      .join(', ')}) AS n(${names.join(', ')})`,
    sample: (percent, limit) =>
      `${gathered} FROM (${bounded(`SELECT ${row} FROM ${source} AS t TABLESAMPLE SYSTEM (${percent})${where(meant)} LIMIT ${limit}`)}) p`,
  };
}

/** Whether a row's place alone says which row it is: not across the tables of a partitioned one. */
export function hasPlaces({ partitioned }: ColumnFacts): boolean {
  return !partitioned;
}

/** A plain table by itself, without those that inherit from it: their keys are not this table's. */
export function tableOf({ schema, table, partitioned }: ColumnFacts): string {
  return `${partitioned ? '' : 'ONLY '}${quote(schema)}.${quote(table)}`;
}

function transported(key: KeyColumn): string {
  return `t.${quote(key.name)}${key.asText ? '::text' : ''}`;
}

function valueOf({ kind, column, path }: ColumnFacts): string {
  if (kind === 'jsonb') return `(t.${quote(column)}::jsonb #>> ${pathOf(path)})`;
  return `t.${quote(column)}::${kind}`;
}

function freshOf({ kind, column, path }: ColumnFacts): string {
  // The document as it is by then: other parts of it may have changed since the page was read.
  return kind === 'jsonb'
    ? `jsonb_set(t.${quote(column)}::jsonb, ${pathOf(path)}, to_jsonb(n.fresh), false)`
    : 'n.fresh';
}

function pathOf(path: readonly string[] | null): string {
  return `ARRAY[${(path ?? []).map((key) => literal(key)).join(', ')}]::text[]`;
}

/** `app_integrations:${row.id}` as an expression. What is NULL counts as nothing. */
function associatedOf({ format }: ColumnFacts): string | null {
  if (format.cipher === 'fernet' || format.associatedData === undefined) return null;
  const pieces = format.associatedData
    .split(/(\$\{[^}]+\})/)
    .filter((piece) => piece !== '')
    .map((piece) => {
      const name = /^\$\{row\.([^}]+)\}$/.exec(piece)?.[1];
      return name === undefined ? literal(piece) : `coalesce(t.${quote(name)}::text, '')`;
    });
  return `(${pieces.join(' || ')})`;
}
