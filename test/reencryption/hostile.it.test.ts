/**
 * The application's role owns its tables, and everything that runs code when they are read or written. None of it gets more than it
 * had: whoever reads and writes has nothing to give, in whatever way the administrator may be one.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { openFinder, openReader, openReencryptor } from '../../src/ciphers/open-cipher.js';
import type { PlannedColumn } from '../../src/domain/plan.js';
import { reencryptAtomically } from '../../src/reencryption/atomic.js';
import { census } from '../../src/reencryption/census.js';
import { columnFacts } from '../../src/reencryption/column-facts.js';
import { searchElsewhere } from '../../src/reencryption/elsewhere/search.js';
import { WHOLE_TABLE } from '../../src/reencryption/key-range.js';
import { recover } from '../../src/reencryption/recover.js';
import { rehearse } from '../../src/reencryption/rehearsal.js';
import { survey } from '../../src/reencryption/survey.js';
import { sweep } from '../../src/reencryption/sweep.js';
import { fernetToken } from '../ciphers/support.js';
import { newPassword, serverFor } from '../databases/access/support.js';
import { makeHostile, type HostileDatabase } from '../support/hostile-database.js';
import { MAJORS, startVersion, type TestServer } from '../support/postgres-versions.js';
import { expectCounts, FERNET } from './support.js';

const COLUMN: PlannedColumn = { table: 'vault', column: 'secret', path: null, where: null, format: FERNET };
const ROWS = 30;

/** Everything that PostgreSQL runs by itself, on the declared table: keys with a cast of their own, a domain, a generated column. */
const VAULT = `
CREATE TABLE public.vault (id hostile.pair, secret hostile.note, made text GENERATED ALWAYS AS (hostile.same(secret::text)) STORED,
  used_at timestamptz, PRIMARY KEY (id), CHECK (hostile.yes()));
CREATE INDEX ON public.vault (hostile.same(secret::text));
CREATE TRIGGER every_row BEFORE INSERT OR UPDATE OR DELETE ON public.vault FOR EACH ROW EXECUTE FUNCTION hostile.row();
CREATE CONSTRAINT TRIGGER at_the_commit AFTER INSERT OR UPDATE OR DELETE ON public.vault DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION hostile.row();
ALTER TABLE public.vault ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON public.vault USING (hostile.yes()) WITH CHECK (hostile.yes())`;

async function vaultIn(
  server: TestServer,
  role: string,
): Promise<{ old: Buffer; next: Buffer } & Pick<HostileDatabase, 'attacks' | 'assertHarmless'>> {
  const [old, next] = [randomBytes(32), randomBytes(32)];
  await server.sql(`CREATE DATABASE ${role}`);
  const { url, attacks, assertHarmless } = await makeHostile(server.urlOf(role), role);
  const application = new pg.Client({ connectionString: url });
  await application.connect();
  await application.query(VAULT);
  await application.query(
    'INSERT INTO public.vault SELECT ROW(n, n)::hostile.pair, v FROM unnest($1::text[]) WITH ORDINALITY t(v, n)',
    [Array.from({ length: ROWS }, (_, row) => fernetToken(old, `secret ${row}`).toString())],
  );
  await application.query('ANALYZE public.vault');
  await application.end();
  return { old, next, attacks, assertHarmless };
}

describe.each(MAJORS)('PostgreSQL %s', (major) => {
  test.each(['a superuser', 'one who may make roles'])('administrator: %s', async (who) => {
    const postgres = await startVersion(major);
    if (typeof postgres === 'string') return;
    const { old, next, attacks, assertHarmless } = await vaultIn(postgres, 'shop');
    const administrator = { user: 'keyturn', password: newPassword() };
    await postgres.sql(
      `CREATE ROLE keyturn LOGIN CREATEROLE PASSWORD '${administrator.password.reveal()}'`,
      'GRANT shop TO keyturn WITH ADMIN OPTION',
    );
    const server = serverFor(postgres, {
      ...{ database: 'shop', touched: ['public.vault'] },
      ...(who === 'a superuser' ? {} : { administrator }),
    });
    const facts = await columnFacts({ server, column: COLUMN });
    const there = openReencryptor(FERNET, { from: old, to: next });
    const back = openReencryptor(FERNET, { from: next, to: old });
    const readers = { old: openReader(FERNET, old), new: openReader(FERNET, next) };
    const counted = async (): Promise<unknown> => (await census({ server, facts, readers, budget: null })).counts;

    await survey({ server, declared: [COLUMN] });
    const elsewhere = await searchElsewhere({
      server,
      columns: [facts],
      finders: [openFinder(FERNET, old)],
      budget: 10_000,
    });
    // The generated column has them too; of the decoy everything was tried.
    expect(elsewhere).toMatchObject({ hits: [{ column: 'made', count: ROWS }], untried: [] });
    expect(await counted()).toMatchObject({ rows: ROWS, old: ROWS });
    await rehearse({ server, facts, reencryptor: there, range: WHOLE_TABLE });
    expectCounts((await sweep({ server, facts, reencryptor: there })).counts, { read: ROWS, reencrypted: ROWS });
    await reencryptAtomically({ server, columns: [{ facts, reencryptor: back, reader: readers.old }] });
    expect(await counted()).toMatchObject({ rows: ROWS, old: ROWS });
    const [recovered] = await recover({
      ...{ server, columns: [{ facts, reencryptor: there, reader: readers.new }], rotation: 'rotate:shop', label: [] },
    });
    expect(recovered).toMatchObject({ quarantined: 0 });
    await server.close();
    await assertHarmless();
    expect(await attacks()).toBeGreaterThan(ROWS);
    expect(await postgres.sql("SELECT rolname FROM pg_roles WHERE rolname ~ '^keyturn_'")).toEqual([]);
  });
});
