/**
 * The key itself, tried on whatever the database holds besides the declared columns: child tables, copies that a trigger made, values
 * in documents and in longer text, materialized views, columns that somebody has added. What was not tried is named.
 */
import type pg from 'pg';
import { addFound, NOTHING_FOUND, type Finder, type Found } from '../../ciphers/finder.js';
import type { Server } from '../../databases/server.js';
import type { ColumnFacts } from '../column-facts.js';
import { copyRows } from './copy-rows.js';
import { fieldsOf, pathTo } from './fields.js';
import { countLargeObjects, readPlaces, type Place } from './places.js';
import { selectOf, triedIn, type Tried } from './select.js';

export interface SearchOptions {
  readonly server: Server;
  /** Declared: what is read row by row anyway. */
  readonly columns: readonly ColumnFacts[];
  /** One for each format in which the key is used. */
  readonly finders: readonly Finder[];
  /** Milliseconds for all of it. */
  readonly budget: number;
}

export interface Hit {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /** pg_class.relkind */
  readonly kind: string;
  readonly count: number;
  /** Of a document: where in it the first of them stands. */
  readonly path: readonly string[] | null;
}

export interface Search {
  readonly hits: readonly Hit[];
  /** `public.audit (no SELECT on doc)`. */
  readonly untried: readonly string[];
  readonly columns: number;
  readonly relations: number;
}

/** For the catalogue, besides what the columns may take. */
const CATALOGUE_MS = 60_000;
const SETTINGS = `
SET search_path = ''; SET row_security = off; SET jit = off; SET client_min_messages = warning; SET bytea_output = 'hex';
SET lock_timeout = '10s'; SET default_transaction_read_only = on`;

/** Writes nothing, and calls nothing but what the server itself brings. @throws KeyturnError as Server. */
export async function searchElsewhere({ server, columns, finders, budget }: SearchOptions): Promise<Search> {
  const until = performance.now() + budget;
  const own = await searchAs('owned', { server, columns, finders, budget }, until, null);
  if (own.shut.length === 0) return own;
  // What belongs to an administrator is read by a login that has no right of the application's.
  const others = await searchAs('others', { server, columns, finders, budget }, until, own.shut);
  const shut = new Set(own.shut.map(shownAs));
  return {
    hits: [...own.hits, ...others.hits],
    untried: [...own.untried.filter((line) => !shut.has(line)), ...others.untried],
    columns: own.columns + others.columns,
    relations: own.relations + others.relations,
  };
}

interface Shut {
  readonly name: string;
  readonly why: string;
}

function shownAs({ name, why }: Shut): string {
  return `${name} (${why})`;
}

/** @param only these alone; null: all. */
async function searchAs(
  touched: 'owned' | 'others',
  { server, columns, finders, budget }: SearchOptions,
  until: number,
  only: readonly Shut[] | null,
): Promise<Search & { readonly shut: readonly Shut[] }> {
  return server.asWorker(
    async (client) => {
      await client.query(SETTINGS);
      const [hits, untried, shut]: [Hit[], string[], Shut[]] = [[], [], []];
      let [tried, relations] = [0, 0];
      for (const place of await readPlaces(client)) {
        if (only && !only.some(({ name }) => name === `${place.schema}.${place.table}`)) continue;
        const asked = triedIn(place, columns);
        const name = `${place.schema}.${place.table}`;
        const closed = asked.filter(({ column }) => !column.readable).map(({ column }) => column.name);
        const open = place.closed === null ? asked.filter(({ column }) => column.readable) : [];
        const why = asked.length > 0 ? place.closed : null;
        const reason = why ?? (closed.length > 0 ? `no SELECT on ${closed.join(', ')}` : null);
        if (reason !== null) untried.push(shownAs({ name, why: reason }));
        if (open.length === 0) {
          if (reason !== null) shut.push({ name, why: reason });
          continue;
        }
        const left = Math.floor(until - performance.now());
        const found = left > 0 ? await tryPlace(client, place, open, finders, left) : 'no time was left';
        if (typeof found === 'string') {
          untried.push(`${name} (${found})`);
          continue;
        }
        relations += 1;
        tried += open.length;
        hits.push(...found.hits);
        untried.push(...found.untried);
      }
      const objects = only === null ? await countLargeObjects(client) : 0;
      if (objects > 0) untried.push(`${objects} large object(s)`);
      return { hits, untried, shut, columns: tried, relations };
    },
    { limit: budget + CATALOGUE_MS, touched },
  );
}

interface Tally {
  found: Found;
  large: number;
  path: readonly string[] | null;
}

/** @returns why it could not be tried, or not to the end. */
async function tryPlace(
  client: pg.Client,
  place: Place,
  tried: readonly Tried[],
  finders: readonly Finder[],
  limit: number,
): Promise<{ hits: Hit[]; untried: string[] } | string> {
  const wanted = [...new Set(finders.flatMap(({ associated }) => associated))];
  const associated = wanted.filter((name) => place.plain.includes(name));
  const tallies = tried.map((): Tally => ({ found: NOTHING_FOUND, large: 0, path: null }));
  const onRow = (fields: readonly (Buffer | null)[]): void => {
    const texts = fields.slice(fields.length - associated.length);
    const row = new Map(associated.map((name, index) => [name, texts[index]?.toString('utf8') ?? '']));
    let at = 0;
    for (const [index, { column, declared }] of tried.entries()) {
      const [large, value, known] = [fields[at], fields[at + 1], fields.slice(at + 2, at + 2 + declared.length)];
      at += 2 + declared.length;
      const tally = tallies[index];
      if (!tally) continue;
      if (large?.[0] === 1) tally.large += 1;
      if (!value) continue;
      const inAll = findIn(finders, fieldsOf(value, column.type), row);
      if (inAll === NOTHING_FOUND) continue;
      const declaredOnes = findIn(
        finders,
        known.filter((one) => one !== null),
        row,
      );
      const hits = inAll.hits - declaredOnes.hits;
      tally.found = addFound(tally.found, { hits, undecided: Math.max(0, inAll.undecided - declaredOnes.undecided) });
      if (hits > 0) tally.path ??= pathTo(value, column.type, (text) => findIn(finders, [text], row).hits > 0);
    }
  };
  try {
    await client.query(`SET statement_timeout = ${limit}`);
    await copyRows(client, selectOf(place, tried, finders, associated), onRow);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    // SQLSTATE: the statement failed, the connection stands. Anything else is for Server to judge.
    if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code) || /^(?:08|57P)/.test(code)) throw error;
    return (
      { '57014': 'not to the end: the time was up', '55P03': 'it was locked' }[code] ?? `the server refuses: ${code}`
    );
  }
  const { schema, table, kind } = place;
  return {
    hits: tried.flatMap(({ column }, index) => {
      const { found, path } = tallies[index] ?? { found: NOTHING_FOUND, path: null };
      return found.hits > 0 ? [{ schema, table, column: column.name, kind, count: found.hits, path }] : [];
    }),
    untried: tried.flatMap(({ column }, index) => {
      const { found, large } = tallies[index] ?? { found: NOTHING_FOUND, large: 0 };
      const name = `${schema}.${table}.${column.name}`;
      return [
        ...(found.undecided > 0 ? [`${name} (${found.undecided} value(s) that could not be told)`] : []),
        ...(large > 0 ? [`${name} (${large} value(s) above 32 MB)`] : []),
      ];
    }),
  };
}

function findIn(finders: readonly Finder[], fields: readonly Buffer[], row: ReadonlyMap<string, string>): Found {
  let all = NOTHING_FOUND;
  for (const field of fields)
    for (const finder of finders) {
      const found = finder.find({ field, row });
      if (found.hits + found.undecided > 0) all = addFound(all, found);
    }
  return all;
}
