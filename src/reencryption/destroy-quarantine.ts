/** The end of rows that no key reads, where the inventory wants them truncated (document 004: `TRUNCATE api_credentials`). */
import pg from 'pg';
import type { Server } from '../databases/server.js';
import type { Effect } from '../domain/errors.js';
import type { ColumnFacts } from './column-facts.js';
import { byTable } from './lost-rows.js';
import { findQuarantine, labelOf, namesOf, placeOf } from './quarantine.js';
import { count } from './recover.js';

const quote = pg.escapeIdentifier;

/** As long as an attempt may last: names of many rows take a while to copy. */
const LIMIT_MS = 20 * 60_000;

export interface DestroyOptions {
  readonly server: Server;
  readonly columns: readonly { readonly facts: ColumnFacts }[];
  /** Whose quarantine it is. */
  readonly rotation: string;
  readonly label: readonly string[];
  /** Tables to keep the names of rows in, as `findReentries` calls them: the rows are more than people have been told of. */
  readonly lists: readonly string[];
}

export interface Destroyed {
  /** `schema.table`, quoted where it must be. */
  readonly quarantine: string;
  readonly rows: number;
}

/**
 * All quarantines of this run, in one transaction. Idempotent: @returns those that were there still.
 * @throws KeyturnError as Server; retryable while somebody reads one of them.
 */
export async function destroyQuarantines(options: DestroyOptions): Promise<Destroyed[]> {
  const { server, columns, rotation } = options;
  let effect: Effect = 'none';
  return await server.asWorker(
    async (client) => {
      const destroyed: Destroyed[] = [];
      // Whoever reads it, a dump for example, is waited for by the next attempt rather than for ever by this one.
      await client.query(`BEGIN; SET LOCAL lock_timeout = '10s'`);
      for (const [first] of byTable(columns)) {
        const quarantine = first && (await findQuarantine(client, first.facts, rotation));
        if (!quarantine) continue;
        const place = placeOf(quarantine);
        await client.query(`LOCK TABLE ${place} IN ACCESS EXCLUSIVE MODE`);
        destroyed.push({ quarantine: place, rows: await count(client, place) });
        const names = placeOf(namesOf(quarantine));
        if (options.lists.includes(names)) await keepNames(client, first.facts, { ...options, place, names });
        await client.query(`DROP TABLE ${place}`);
      }
      effect = 'unknown';
      await client.query('COMMIT');
      effect = 'applied';
      return destroyed;
    },
    { limit: LIMIT_MS, effect: () => effect },
  );
}

/** Primary key and label, which say which rows are to be entered again; none of their values. */
async function keepNames(
  client: pg.Client,
  facts: ColumnFacts,
  { label, rotation, place, names }: DestroyOptions & { place: string; names: string },
): Promise<void> {
  const columns = new Set([...facts.keys.map(({ name }) => name), ...(await labelOf(client, facts, label))]);
  const select = `SELECT ${[...columns].map((name) => quote(name)).join(', ')} FROM ${place}`;
  const comment = `Names of rows of ${facts.schema}.${facts.table} that no key could read, destroyed by Keyturn's run ${rotation}`;
  // A run that goes on from this one may have moved and named others already.
  await client.query(
    `CREATE TABLE IF NOT EXISTS ${names} AS ${select} WITH NO DATA; INSERT INTO ${names} ${select};
     COMMENT ON TABLE ${names} IS ${pg.escapeLiteral(comment)}; ALTER TABLE ${names} OWNER TO ${quote(facts.owner)}`,
  );
}
