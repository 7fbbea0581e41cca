/** Tables with encrypted columns in a database of the test file's own. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, expect } from 'vitest';
import { openReader, openReencryptor } from '../../src/ciphers/open-cipher.js';
import { Server } from '../../src/databases/server.js';
import { KeyturnError } from '../../src/domain/errors.js';
import type { PlannedColumn } from '../../src/domain/plan.js';
import { balances, type RowCounts } from '../../src/domain/row-counts.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import type { ValueFormat } from '../../src/domain/specs/ciphertext.js';
import { columnFacts, type ColumnFacts } from '../../src/reencryption/column-facts.js';
import { afterwards } from '../support/afterwards.js';
import { makeHostile, type HostileDatabase } from '../support/hostile-database.js';
import { freshDatabase, freshRoleName } from '../support/servers.js';
import { fernetToken, openFernet } from '../ciphers/support.js';

export const FERNET: ValueFormat = { cipher: 'fernet' };

const servers: Server[] = [];

afterAll(async () => {
  for (const server of servers.splice(0)) await server.close();
});

export interface World {
  readonly url: string;
  /** The application, which owns the tables and is hostile. */
  readonly application: HostileDatabase;
  readonly old: Buffer;
  readonly next: Buffer;
  readonly other: Buffer;
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  connect(): Promise<pg.Client>;
  server(signal?: AbortSignal, url?: string): Server;
  facts(table: string, column?: string, more?: Partial<PlannedColumn>): Promise<ColumnFacts>;
  cipher(): ReturnType<typeof openReencryptor>;
  readers(): { readonly old: ReturnType<typeof openReader>; readonly new: ReturnType<typeof openReader> };
  /** `id` and `encrypted_value`, one for each value, from 1 on. */
  table(name: string, values: readonly (Buffer | null)[]): Promise<void>;
  /** What stands in the column, by id. */
  values(table: string): Promise<(string | null)[]>;
}

export async function createWorld(prefix: string): Promise<World> {
  const { url } = await freshDatabase(prefix);
  const application = await makeHostile(url, freshRoleName(prefix));
  const client = new pg.Client({ connectionString: url });
  // The database may be dropped before this is closed.
  client.on('error', () => undefined);
  await client.connect();
  afterwards(() => client.end().catch(() => undefined));
  const [old, next, other] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  const server = (signal = new AbortController().signal, at = url): Server => {
    const made = new Server({
      administrator: new SecretValue(at),
      label: 'variable APP_ADMIN_URL',
      database: null,
      replicas: [],
      signal,
    });
    servers.push(made);
    return made;
  };
  const sql: World['sql'] = async (text, values) => (await client.query<Record<string, unknown>>(text, values)).rows;
  return {
    ...{ url, application, old, next, other, sql, server },
    async connect() {
      const another = new pg.Client({ connectionString: url, application_name: 'arena-app' });
      another.on('error', () => undefined);
      await another.connect();
      afterwards(() => another.end().catch(() => undefined));
      return another;
    },
    facts: (table, column = 'encrypted_value', more = {}) =>
      columnFacts({ server: server(), column: { table, column, path: null, where: null, format: FERNET, ...more } }),
    cipher: () => openReencryptor(FERNET, { from: old, to: next }),
    readers: () => ({ old: openReader(FERNET, old), new: openReader(FERNET, next) }),
    async table(name, values) {
      await sql(`CREATE TABLE ${name} (id bigint PRIMARY KEY, encrypted_value text, used_at timestamptz)`);
      await sql(
        `INSERT INTO ${name} (id, encrypted_value) SELECT place, v FROM unnest($1::text[]) WITH ORDINALITY n(v, place)`,
        [values.map((value) => value?.toString() ?? null)],
      );
    },
    async values(table) {
      const rows = await sql(`SELECT encrypted_value FROM ${table} ORDER BY id`);
      return rows.map((row) => row['encrypted_value'] as string | null);
    },
  };
}

export const plaintextOf = (row: number): string => `credential ${row} of an arena`;

export function oldRows(world: World, count: number): Buffer[] {
  return Array.from({ length: count }, (_, row) => fernetToken(world.old, plaintextOf(row)));
}

/** What a token says under the new key; null: it is not under that key. */
export function underNew(world: World, token: string | null): string | null {
  return token === null ? null : (openFernet(world.next, Buffer.from(token))?.plaintext.toString() ?? null);
}

export async function expectAllNew(world: World, table: string, count: number): Promise<void> {
  const values = await world.values(table);
  expect(values.map((value) => underNew(world, value))).toEqual(
    Array.from({ length: count }, (_, row) => plaintextOf(row)),
  );
}

export function expectCounts(counts: RowCounts, some: Partial<RowCounts>): void {
  expect(balances(counts)).toBe(true);
  expect(counts).toEqual({ read: 0, reencrypted: 0, alreadyNew: 0, empty: 0, changed: 0, unreadable: 0, ...some });
}

export async function failureOf(promise: Promise<unknown>): Promise<KeyturnError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KeyturnError);
  return error as KeyturnError;
}
