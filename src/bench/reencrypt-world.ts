/** What the ways of re-encrypting are measured on: one server, one table made anew for each, and what is done to it. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import pg from 'pg';
import { Server } from '../databases/server.js';
import { gcmFormat, type ValueFormat } from '../domain/specs/ciphertext.js';
import { SecretValue } from '../domain/secret-value.js';
import { startPostgres, type Postgres } from '../embedded/postgres.js';
import { columnFacts, type ColumnFacts } from '../reencryption/column-facts.js';
import { pythonWithCryptography } from './reencrypt-python.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/bench/reencrypt.py', import.meta.url));

export const FORMATS = {
  fernet: { cipher: 'fernet' },
  'aes-256-gcm': gcmFormat.parse({ cipher: 'aes-256-gcm', separator: ':' }),
} as const satisfies Record<string, ValueFormat>;
export type CipherName = keyof typeof FORMATS;

export interface World {
  readonly url: string;
  readonly keys: { readonly from: Buffer; readonly to: Buffer };
  sql(text: string): Promise<Record<string, unknown>[]>;
  /** `rows` encrypted credentials under the old key, written by Python, kept as `seed`. */
  seed(cipher: CipherName, rows: number): Promise<void>;
  /** `api_credentials` as it was: a new table with the seed's rows in order, vacuumed, everything written out. */
  freshTable(times?: number): Promise<void>;
  python(way: string, cipher: CipherName): Promise<{ readonly seconds: number; readonly rows: number }>;
  server(): Server;
  facts(cipher: CipherName): Promise<ColumnFacts>;
  close(): Promise<void>;
}

/** Nothing but what is measured: no vacuum and no checkpoint of the server's own falls into one way and not into another. */
const SETTINGS = { autovacuum: 'off', max_wal_size: '16GB', checkpoint_timeout: '1h', shared_buffers: '512MB' };

export async function createWorld(): Promise<World> {
  const python = await pythonWithCryptography();
  const postgres: Postgres = await startPostgres({ settings: SETTINGS });
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  const keys = { from: randomBytes(32), to: randomBytes(32) };
  const sql = async (text: string): Promise<Record<string, unknown>[]> =>
    (await client.query<Record<string, unknown>>(text)).rows;
  const run = async (task: object): Promise<{ seconds: number; rows: number }> => {
    const input = { url: postgres.url, old: keys.from.toString('hex'), new: keys.to.toString('hex'), ...task };
    const { stdout } = await execa(python, ['-I', SCRIPT], { input: JSON.stringify(input) });
    return JSON.parse(stdout) as { seconds: number; rows: number };
  };
  const server = (): Server => serverAt(postgres.url);
  return {
    ...{ url: postgres.url, keys, sql, server },
    async seed(cipher, rows) {
      await sql('DROP TABLE IF EXISTS seed');
      await sql('CREATE TABLE seed (id bigint PRIMARY KEY, encrypted_value text NOT NULL)');
      await run({ way: 'seed', cipher, rows, table: 'seed' });
    },
    async freshTable(times = 1) {
      await sql('DROP TABLE IF EXISTS api_credentials');
      await sql(`CREATE TABLE api_credentials (id bigint PRIMARY KEY, platform text NOT NULL DEFAULT 'arena',
        encrypted_value text NOT NULL, created_at timestamptz NOT NULL DEFAULT now())`);
      await sql(`INSERT INTO api_credentials (id, encrypted_value)
        SELECT id + part * (SELECT max(id) FROM seed), encrypted_value FROM seed, generate_series(0, ${times - 1}) part ORDER BY 1`);
      await sql('VACUUM (FREEZE, ANALYZE) api_credentials');
      await sql('CHECKPOINT');
    },
    python: (way, cipher) => run({ way, cipher }),
    facts: (cipher) => factsOf(server(), cipher),
    async close() {
      await client.end();
      await postgres.stop();
    },
  };
}

export function serverAt(url: string, signal = new AbortController().signal): Server {
  const administrator = new SecretValue(url);
  const touched = ['public.api_credentials'];
  return new Server({ administrator, label: 'benchmark', database: null, replicas: [], signal, touched });
}

export function factsOf(server: Server, cipher: CipherName): Promise<ColumnFacts> {
  const column = {
    table: 'public.api_credentials',
    column: 'encrypted_value',
    path: null,
    where: null,
    format: FORMATS[cipher],
  };
  return columnFacts({ server, column });
}
