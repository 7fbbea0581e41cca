/** Values of the key that stand in nobody's declaration: refused before anything is done, or the key is kept for them at the end. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { id, run } from '../../databases/roles/support/world.js';
import { endOf } from '../support/end-of.js';
import { opened } from './support/fernet.js';
import { carriedOut } from './support/runs.js';
import { Stage } from './support/stage.js';
import type { System } from './support/system.js';
import { sampled } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

it.each(sampled(['atomic', 'online'] as const, 1))('%s: child tables and a copy in a document', async (mode) => {
  const { outcome, untouched, history } = await carriedOut(
    stage,
    { mode },
    {
      prepare: async ({ database, table }) => {
        await run(
          database.url,
          `CREATE TABLE child (PRIMARY KEY (id)) INHERITS (${id(table)}); INSERT INTO child SELECT id + 500, value FROM ONLY ${id(table)};
           CREATE TABLE archive (doc jsonb); INSERT INTO archive SELECT jsonb_build_object('old', jsonb_build_object('value', value))
             FROM ONLY ${id(table)} WHERE value <> '' LIMIT 7`,
        );
      },
      after: ({ database }) => run(database.url, 'DROP TABLE child, archive'),
    },
  );
  expect(outcome).toMatch(
    /^rolled-back: .*public\.child inherits from public\.credentials_\w+, and its rows are not declared/,
  );
  expect(outcome).toMatch(/table: public\.child, column: value/);
  expect(outcome).toMatch(/7 value\(s\) in public\.archive\.doc \(the first at old\/value\)/);
  expect(outcome).toMatch(/40 value\(s\) in public\.child\.value/);
  expect({ untouched, history }).toEqual({ untouched: true, history: [] });
});

/** Everything in the database that is under the key at first, and where. */
async function underOldKey({ database, oldKey }: System): Promise<string[]> {
  const found: string[] = [];
  for (const [place, select] of [
    ['audit', `SELECT doc #>> '{was,value}' AS value FROM audit`],
    ['shown', 'SELECT value FROM shown'],
    ['note', `SELECT substring(note FROM 'gAAA[^ ]+') AS value FROM people`],
  ] as const) {
    const values = (await run(database.url, select)).map((row) => row['value'] as string | null);
    const count = values.filter((value) => value && opened(value, oldKey) !== null).length;
    found.push(`${place} ${count}`);
  }
  return found;
}

it.each(sampled(['atomic', 'online'] as const, 1))(
  '%s: what a trigger copies, a materialized view and a column added meanwhile keep the old key, and once they are mended it goes',
  async (mode) => {
    const system = await stage.system({ mode });
    try {
      const { database, table, application } = system;
      await run(
        database.url,
        `CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, doc jsonb);
         CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO public.audit (doc) VALUES (jsonb_build_object('was', to_jsonb(OLD))); RETURN NEW; END $$;
         CREATE TRIGGER copy AFTER UPDATE ON ${id(table)} FOR EACH ROW EXECUTE FUNCTION copy();
         CREATE TABLE people (id int PRIMARY KEY); INSERT INTO people VALUES (1);
         CREATE VIEW seen AS SELECT * FROM ${id(table)};
         CREATE MATERIALIZED VIEW shown AS SELECT * FROM ${id(table)}`,
      );
      // Between the start and the end, as a deploy of the application might.
      const [token] = await run(database.url, `SELECT value FROM ${id(table)} WHERE id = 1`);
      system.faults.set('stageKey 1', async (_, body) => {
        await run(
          database.url,
          `ALTER TABLE people ADD COLUMN note text; UPDATE people SET note = 'was ${String(token?.['value'])} once'`,
        );
        return await body();
      });
      const outcome = await endOf(await stage.start(system));
      expect(outcome).toMatch(/^stopped.*the old key reads .*which nothing declares/);
      for (const place of [
        /40 value\(s\) in public\.audit\.doc/,
        /40 value\(s\) in public\.shown\.value/,
        /1 value\(s\) in public\.people\.note/,
      ])
        expect(outcome).toMatch(place);
      // Nothing is lost: each is readable under the key that the store keeps.
      expect(await underOldKey(system)).toEqual(['audit 40', 'shown 40', 'note 1']);
      expect(system.calls.filter((call) => call.startsWith('forgetPrevious'))).toEqual([]);
      await application.readEverything();

      await run(database.url, 'TRUNCATE audit; REFRESH MATERIALIZED VIEW shown; UPDATE people SET note = NULL');
      expect(await endOf(await stage.start(system))).toBe('completed');
      const last = (await stage.rows(system)).find((row) => row.outcome === 'completed');
      expect(JSON.stringify(last)).toMatch(/tried on \d+ other column\(s\) of \d+ table\(s\)/);
      expect(last).toMatchObject({ proof: expect.stringMatching(/^proven: /) as string });
    } finally {
      const { database, table } = system;
      await run(
        database.url,
        `DROP MATERIALIZED VIEW IF EXISTS shown; DROP VIEW IF EXISTS seen; DROP TABLE IF EXISTS audit, people;
         DROP TRIGGER IF EXISTS copy ON ${id(table)}; DROP FUNCTION IF EXISTS copy()`,
      );
      await stage.remove(system);
    }
  },
);
