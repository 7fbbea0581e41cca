/**
 * `npm run bench:reencrypt`: Keyturn's sweep against the script that document 004 asks for, against the best batches that Python has,
 * and against PostgreSQL's own UPDATE of every row. All in one run on one server, each way on a table made anew, medians of three
 * rounds that go through all ways in turn. Compare the ratios; rows a second depend on the machine. `--rows N` (200,000), `--json`.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { openReencryptor } from '../ciphers/open-cipher.js';
import { createShutdown } from '../embedded/shutdown.js';
import { sweep } from '../reencryption/sweep.js';
import { breakDown, type Breakdown } from './reencrypt-breakdown.js';
import { printReport } from './reencrypt-report.js';
import { createWorld, FORMATS, type CipherName, type World } from './reencrypt-world.js';

const ROUNDS = 3;
const MEMORY = fileURLToPath(new URL('reencrypt-memory.js', import.meta.url));
const BATCHED = ['executemany', 'execute_values', 'unnest'] as const;

export interface CipherFigures {
  /** Rows a second, median of the rounds. */
  readonly rate: Readonly<Record<'keyturn' | 'script' | 'floor' | (typeof BATCHED)[number], number>>;
  readonly bestBatched: (typeof BATCHED)[number];
  readonly timesTheScript: number;
  readonly timesTheBestBatched: number;
  /** Time of Keyturn over the time of PostgreSQL's own UPDATE. */
  readonly timeOverFloor: number;
  /** Rows that Python found, after each of Keyturn's rounds, to decrypt under the new key to what they were. */
  readonly verified: number;
  readonly microsecondsARow: Breakdown;
}

export interface Figures {
  readonly rows: number;
  readonly rounds: number;
  readonly ciphers: Readonly<Record<CipherName, CipherFigures>>;
  /** Peak resident memory of a process that sweeps, in MB. */
  readonly peakMb: { readonly at100k: number; readonly at1m: number; readonly ratio: number };
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function measure(world: World, rows: number): Promise<Figures> {
  const fernet = await measureCipher(world, 'fernet', rows);
  const gcm = await measureCipher(world, 'aes-256-gcm', rows);
  await world.seed('fernet', 100_000);
  const at100k = await peakMemory(world, 1);
  const at1m = await peakMemory(world, 10);
  return {
    ...{ rows, rounds: ROUNDS, ciphers: { fernet, 'aes-256-gcm': gcm } },
    peakMb: { at100k, at1m, ratio: at1m / at100k },
  };
}

async function measureCipher(world: World, cipher: CipherName, rows: number): Promise<CipherFigures> {
  say(`${cipher}: ${rows} rows, encrypted by Python`);
  await world.seed(cipher, rows);
  const ways = {
    keyturn: () => keyturn(world, cipher),
    floor: () => floor(world),
    ...Object.fromEntries(['script', ...BATCHED].map((way) => [way, () => python(world, way, cipher)])),
  } as Record<keyof CipherFigures['rate'], () => Promise<number>>;
  const seconds: Record<string, number[]> = {};
  let verified = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const [way, run] of Object.entries(ways)) {
      await world.freshTable();
      const took = await run();
      (seconds[way] ??= []).push(took);
      say(`  round ${round}  ${way.padEnd(15)}${Math.round(rows / took)} rows/s`);
      if (way === 'keyturn') verified += (await world.python('verify', cipher)).rows;
    }
  }
  const microsecondsARow = await breakDown(world, cipher);
  const rate = Object.fromEntries(
    Object.entries(seconds).map(([way, all]) => [way, rows / median(all)]),
  ) as CipherFigures['rate'];
  const bestBatched = [...BATCHED].sort((one, other) => rate[other] - rate[one])[0] ?? 'unnest';
  return {
    ...{ rate, bestBatched, verified, microsecondsARow },
    timesTheScript: rate.keyturn / rate.script,
    timesTheBestBatched: rate.keyturn / rate[bestBatched],
    timeOverFloor: rate.floor / rate.keyturn,
  };
}

async function keyturn(world: World, cipher: CipherName): Promise<number> {
  const started = performance.now();
  const facts = await world.facts(cipher);
  const reencryptor = openReencryptor(FORMATS[cipher], world.keys);
  const { counts } = await sweep({ server: world.server(), facts, reencryptor });
  if (counts.read !== counts.reencrypted) throw new Error(`not every row was re-encrypted: ${JSON.stringify(counts)}`);
  return (performance.now() - started) / 1_000;
}

/** What writing costs when nothing else is done: every row to a value as long as the old one. */
async function floor(world: World): Promise<number> {
  const started = performance.now();
  await world.sql(
    `DO $$ DECLARE value text := (SELECT repeat('x', length(encrypted_value)) FROM api_credentials LIMIT 1);
       BEGIN UPDATE api_credentials SET encrypted_value = value; END $$`,
  );
  return (performance.now() - started) / 1_000;
}

async function python(world: World, way: string, cipher: CipherName): Promise<number> {
  return (await world.python(way, cipher)).seconds;
}

async function peakMemory(world: World, times: number): Promise<number> {
  await world.freshTable(times);
  const { from, to } = world.keys;
  const task = { url: world.url, cipher: 'fernet', from: from.toString('hex'), to: to.toString('hex') };
  const { stdout } = await execa(process.execPath, [MEMORY], { input: JSON.stringify(task) });
  const { rows, peakMb } = JSON.parse(stdout) as { rows: number; peakMb: number };
  say(`memory: ${rows} rows, ${Math.round(peakMb)} MB at most`);
  return peakMb;
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '200000' }, json: { type: 'boolean', default: false } },
});
const shutdown = createShutdown();
try {
  const world = await createWorld();
  shutdown.add('PostgreSQL', () => world.close());
  printReport(await measure(world, Number(values.rows)), values.json);
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await shutdown.run();
  shutdown.detach();
}
