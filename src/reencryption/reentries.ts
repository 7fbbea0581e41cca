/** Which quarantined rows have been entered again: a row that corresponds to one of them reads under the new key. */
import type pg from 'pg';
import type { Reader } from '../ciphers/cipher.js';
import type { Server } from '../databases/server.js';
import type { ColumnFacts } from './column-facts.js';
import { identitiesOf } from './identities.js';
import { WHOLE_TABLE } from './key-range.js';
import { byTable, gather, keepKeys, sameRow, type RowKeys } from './lost-rows.js';
import { tableOf } from './page-statements.js';
import { findQuarantine, labelOf, namesOf, placeOf, sameLabel, type Quarantine } from './quarantine.js';
import { readPages } from './read-pages.js';
import { allowJoins } from './removal.js';
import { prepareSession } from './session.js';

export interface Reentries {
  readonly table: string;
  /** null: nothing of this table was quarantined. */
  readonly quarantine: string | null;
  /** Where the names of its rows are kept when it is destroyed. */
  readonly names: string;
  readonly quarantined: number;
  readonly entered: number;
  /** The first of each. */
  readonly missing: readonly string[];
  readonly there: readonly string[];
}

const LIMIT_MS = 24 * 3_600_000;

/**
 * A row corresponds by its primary key, or by its label where that was no other row's.
 * Reads, and changes nothing. @throws KeyturnError as Server.
 */
export async function findReentries(options: {
  readonly server: Server;
  readonly columns: readonly { readonly facts: ColumnFacts; readonly reader: Reader }[];
  readonly rotation: string;
  readonly label: readonly string[];
}): Promise<Reentries[]> {
  const { server, columns, rotation, label } = options;
  return await server.asWorker(
    async (client) => {
      await prepareSession(client);
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      const found: Reentries[] = [];
      for (const [place, group] of byTable(columns).entries()) {
        const quarantine = group[0] ? await findQuarantine(client, group[0].facts, rotation) : null;
        if (quarantine) found.push(await ofTable(client, group, { place, label, quarantine }));
      }
      await client.query('ROLLBACK');
      return found;
    },
    { limit: LIMIT_MS },
  );
}

async function ofTable(
  client: pg.Client,
  columns: readonly { readonly facts: ColumnFacts; readonly reader: Reader }[],
  { place, label, quarantine: from }: { place: number; label: readonly string[]; quarantine: Quarantine },
): Promise<Reentries> {
  const [quarantine, names] = [placeOf(from), placeOf(namesOf(from))];
  const facts = columns[0]?.facts;
  if (!facts) throw new TypeError('a table has at least one column');
  const alive: string[] = [];
  for (const [index, { facts: of, reader }] of columns.entries()) {
    const name = `keyturn_alive_${place}_${index}`;
    await keepKeys(client, name, of, await underNewKey(client, of, reader));
    alive.push(`EXISTS (SELECT FROM ${name} a WHERE ${sameRow(of, 'l', 'a')})`);
  }
  await allowJoins(client);
  const byKey = facts.keys.map(({ name }) => `l.${quoted(client, name)} = t.${quoted(client, name)}`).join(' AND ');
  const known = await labelOf(client, facts, label);
  const byLabel = known.length > 0 ? ` OR (t.keyturn_by_label AND ${sameLabel(known, 'l', 't')})` : '';
  const is = `EXISTS (SELECT FROM ${tableOf(facts)} AS l WHERE (${byKey}${byLabel}) AND (${alive.join(' OR ')}))`;
  const { rows } = await client.query<{ all: number; entered: number }>(
    `SELECT count(*)::int AS all, (count(*) FILTER (WHERE ${is}))::int AS entered FROM ${quarantine} AS t`,
  );
  const there = await identitiesOf(client, facts, known, { quarantine, more: is });
  const missing = await identitiesOf(client, facts, known, { quarantine, more: `NOT ${is}` });
  await prepareSession(client);
  const { all: quarantined = 0, entered = 0 } = rows[0] ?? {};
  return { table: `${facts.schema}.${facts.table}`, quarantine, names, quarantined, entered, missing, there };
}

async function underNewKey(client: pg.Client, facts: ColumnFacts, reader: Reader): Promise<RowKeys> {
  const keys: RowKeys = [];
  for await (const page of readPages(client, { facts, range: WHOLE_TABLE, after: null })) {
    const states = page.values.map((value, row) =>
      value !== null && reader.reads(value, page.associated?.[row] ?? null) ? 'new' : 'unreadable',
    );
    gather(keys, page, states, 'new');
  }
  return keys;
}

function quoted(client: pg.Client, name: string): string {
  return client.escapeIdentifier(name);
}
