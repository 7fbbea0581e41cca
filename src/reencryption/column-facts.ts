/**
 * What the catalogue says about a column that an encryption key protects: how it is read and written, and by which key its rows are
 * told apart. A column that cannot be re-encrypted safely is refused here, before anything is done.
 */
import type pg from 'pg';
import { distance } from 'fastest-levenshtein';
import type { Server } from '../databases/server.js';
import { KeyturnError } from '../domain/errors.js';
import type { PlannedColumn } from '../domain/plan.js';
import type { ValueFormat } from '../domain/specs/ciphertext.js';
import { readColumns, readKey, readTable, tableNames, type CatalogueColumn, type CatalogueTable } from './catalogue.js';
import { conditionOf, estimateRows } from './row-filter.js';
import { prepareSession } from './session.js';

export interface KeyColumn {
  /** As the catalogue spells it. */
  readonly name: string;
  /** With its schema where the search path needs one: `integer`, `public.citext`. */
  readonly type: string;
  /** An array as key: arrays of arrays are not what array_agg makes of it; a row type: unnest takes it apart. It travels as text. */
  readonly asText: boolean;
}

/** Plain data: it can be handed from one process to another. */
export interface ColumnFacts {
  /** For people: `public.api_credentials.encrypted_value`, `public.accounts.settings #>> api,key`. */
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  /** Whose table it is: what is made beside it is theirs too. */
  readonly owner: string;
  readonly column: string;
  readonly kind: 'text' | 'bytea' | 'jsonb';
  readonly path: readonly string[] | null;
  readonly format: ValueFormat;
  /** The primary key; where there is none, a unique index over columns that are never NULL. */
  readonly keys: readonly KeyColumn[];
  /** Columns that the format's associated data names. */
  readonly associated: readonly string[];
  /** Read and written through its parent. */
  readonly partitioned: boolean;
  /** Some values are longer than a block of the table: pages are bounded by bytes as they are read. */
  readonly longValues: boolean;
  /** SQL on `t` that says which rows are meant; null: all. */
  readonly condition: string | null;
  /** Tables that inherit from this one, `schema.table`: a SELECT from it shows their rows too. */
  readonly children: readonly string[];
  /** What the server's statistics say; null: they know nothing yet. */
  readonly estimatedRows: number | null;
  /** What a person should know beforehand; nothing of it keeps the rows from being re-encrypted. */
  readonly warnings: readonly string[];
}

/**
 * Read-only.
 * @throws KeyturnError `unknown-table`, `unknown-column` (with what was probably meant), `not-a-table`, `no-primary-key`,
 * `wrong-column-type`, `generated-column`, `key-is-encrypted`, `insufficient-privilege`, `row-security`; and as Server.
 */
export async function columnFacts(options: {
  readonly server: Server;
  readonly column: PlannedColumn;
}): Promise<ColumnFacts> {
  return options.server.asWorker(async (client) => {
    await prepareSession(client);
    return readColumnFacts(client, options.column);
  });
}

/** The same on a connection that is there. */
export async function readColumnFacts(client: pg.Client, planned: PlannedColumn): Promise<ColumnFacts> {
  const table = await readTable(client, planned.table);
  if (table === null) throw await unknownTable(client, planned.table);
  const shown = `${table.schema}.${table.name}`;
  if (table.kind !== 'r' && table.kind !== 'p') {
    throw new KeyturnError('not-a-table', `${shown} is ${KINDS[table.kind] ?? 'no table'}`, {
      hint: 'name the table in which the rows are',
    });
  }
  const columns = await readColumns(client, table.oid);
  const column = columns.find(({ name }) => name === planned.column);
  if (!column) throw unknownColumn(shown, planned.column, columns);
  const kind = kindOf(shown, column, planned);
  const associated = associatedColumns(shown, planned.format, columns);
  const keys = await readKey(client, table.oid);
  if (keys.length === 0) {
    throw new KeyturnError(
      'no-primary-key',
      `${shown} has no primary key, and no unique index on columns NOT NULL that compares as they do`,
      {
        hint: 'without a key a row cannot be told from another: add one, ALTER TABLE … ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY',
      },
    );
  }
  if (keys.some(({ name }) => name === column.name)) {
    throw new KeyturnError('key-is-encrypted', `${shown}.${column.name} is encrypted and part of the table's key`, {
      hint: 'give the table a primary key of its own: what is rewritten cannot also say which row is meant',
    });
  }
  const filter = Object.keys(planned.where ?? {});
  for (const name of filter) if (!columns.some((one) => one.name === name)) throw unknownColumn(shown, name, columns);
  assertReach(shown, table, [column, ...columns.filter(({ name }) => [...associated, ...filter].includes(name))]);
  const condition = planned.where && conditionOf(planned.where);
  const estimatedRows = await estimateRows(client, table, condition, shown);
  return {
    name: `${shown}.${column.name}${planned.path ? ` #>> ${planned.path.join(',')}` : ''}`,
    schema: table.schema,
    table: table.name,
    owner: table.owner,
    column: column.name,
    kind,
    path: planned.path,
    format: planned.format,
    keys,
    associated,
    partitioned: table.kind === 'p',
    longValues: table.longValues,
    ...{ condition, children: table.children, estimatedRows },
    warnings: warningsOf(shown, table),
  };
}

const KINDS: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
  c: 'a composite type',
  i: 'an index',
  I: 'an index',
};

function kindOf(table: string, column: CatalogueColumn, planned: PlannedColumn): ColumnFacts['kind'] {
  const { name, type, base, generated } = column;
  const wrong = (why: string, hint: string): KeyturnError =>
    new KeyturnError('wrong-column-type', `${table}.${name} ${why}`, { hint });
  if (generated) {
    throw new KeyturnError('generated-column', `${table}.${name} is generated from other columns`, {
      hint: 'name the column that it is generated from',
    });
  }
  if (planned.path !== null) {
    if (base === 'jsonb') return 'jsonb';
    throw wrong(
      `is ${type}, not jsonb, and so has no path ${planned.path.join(',')}`,
      'leave out the path, or name the jsonb column',
    );
  }
  if (base === 'jsonb') throw wrong('is jsonb', 'say under "path" which keys lead to the value');
  if (base === 'text' || base === 'varchar') {
    if (planned.format.cipher !== 'fernet' && planned.format.encoding === 'binary') {
      throw wrong(`is ${type}, which holds no binary values`, 'name the encoding that the application uses');
    }
    return 'text';
  }
  if (base === 'bytea') return 'bytea';
  throw wrong(`is ${type}`, 'values are read from text, varchar, bytea and jsonb');
}

function associatedColumns(table: string, format: ValueFormat, columns: readonly CatalogueColumn[]): string[] {
  if (format.cipher === 'fernet' || format.associatedData === undefined) return [];
  const names = [...format.associatedData.matchAll(/\$\{row\.([^}]+)\}/g)].map((match) => match[1] ?? '');
  for (const name of names) {
    if (!columns.some((column) => column.name === name)) throw unknownColumn(table, name, columns);
  }
  return [...new Set(names)];
}

/** Row-level security would hide rows, and a hidden row stays on the old key. */
function assertReach(shown: string, table: CatalogueTable, columns: readonly CatalogueColumn[]): void {
  const [encrypted, ...others] = columns;
  const missing = [
    ...(table.reachable ? [] : ['USAGE of its schema']),
    ...(columns.every(({ selectable }) => selectable) ? [] : ['SELECT']),
    ...(encrypted?.updatable === true ? [] : ['UPDATE']),
  ];
  if (missing.length > 0 || others.some(({ selectable }) => !selectable)) {
    throw new KeyturnError('insufficient-privilege', `${table.user} may not ${missing.join(' or ')} on ${shown}`, {
      hint: `GRANT SELECT, UPDATE ON ${shown} TO ${table.user}, USAGE of its schema too; or let a role without other rights own it, whose rights are used then`,
    });
  }
  if (table.rowSecurity) {
    throw new KeyturnError(
      'row-security',
      `policies of row-level security decide which rows of ${shown} ${table.user} sees`,
      {
        hint: `ALTER TABLE ${shown} NO FORCE ROW LEVEL SECURITY; and if its owner is a superuser, let a role without such rights own it: rows that are not seen would stay on the old key`,
      },
    );
  }
}

function warningsOf(shown: string, table: CatalogueTable): string[] {
  const { triggers, rules } = table;
  return [
    ...(triggers.length > 0 ? [`every row that is re-encrypted fires ${triggers.join(', ')} on ${shown}`] : []),
    ...(rules.length > 0 ? [`rules rewrite what is updated in ${shown}: ${rules.join(', ')}`] : []),
  ];
}

async function unknownTable(client: pg.Client, name: string): Promise<KeyturnError> {
  const { full, short } = await tableNames(client);
  const meant = nearest(name, name.includes('.') ? full : [...short, ...full]);
  return new KeyturnError('unknown-table', `there is no table ${name}${meant}`, {
    hint: 'write schema.table, as the catalogue spells it; without a schema the search path of the administrator counts',
  });
}

function unknownColumn(table: string, name: string, columns: readonly CatalogueColumn[]): KeyturnError {
  const meant = nearest(
    name,
    columns.map((column) => column.name),
  );
  return new KeyturnError('unknown-column', `${table} has no column ${name}${meant}`, {
    hint: 'write it as the catalogue spells it; case counts',
  });
}

/** Two thirds of the letters must be right: anything less is another word. */
function nearest(name: string, candidates: readonly string[]): string {
  const ranked = candidates
    .map((candidate) => ({ candidate, away: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((one, other) => one.away - other.away);
  const [best] = ranked;
  return best && best.away <= Math.max(1, Math.floor(name.length / 3)) ? ` (did you mean ${best.candidate}?)` : '';
}
