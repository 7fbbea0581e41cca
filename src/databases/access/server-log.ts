/** Reading a PostgreSQL server's log through the server itself: where it is, and what was added to it. */
import pg from 'pg';
import type { LogFormat } from './log-formats.js';

/** File → bytes read. */
export type Places = Readonly<Record<string, number>>;

export interface ReadableLog {
  readonly format: LogFormat;
  readonly linePrefix: string;
  /** Relative to the data directory, or absolute. */
  readonly directory: string;
  readonly extension: string;
}

/** A server that logs every statement writes megabytes between two looks; more than this a look is left for the next. */
const CHUNK = 1 << 20;
const CHUNKS_A_LOOK = 64;

/** A right to a function holds in one database: the one that Keyturn connects to. */
const RIGHTS =
  "GRANT pg_monitor, and in the application's database EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) and, before PostgreSQL 17, pg_current_logfile(text), to the administrator";

/** @returns where the log is, or why it cannot be read. */
export async function describeLog(client: pg.Client): Promise<ReadableLog | { readonly reason: string }> {
  const { rows } = await client.query<Record<'collector' | 'destination' | 'messages' | 'prefix', string>>(
    `SELECT current_setting('logging_collector') AS collector, current_setting('log_destination') AS destination,
            current_setting('lc_messages') AS messages, current_setting('log_line_prefix') AS prefix`,
  );
  const [settings] = rows;
  if (settings?.collector !== 'on') return { reason: 'the server keeps no log files (logging_collector is off)' };
  if (!/^(?:C|POSIX|en)?(?:[._@].*)?$/i.test(settings.messages)) {
    return { reason: `the server logs in another language (lc_messages is ${settings.messages})` };
  }
  // The two that say who and where in fields of their own come first.
  const wanted = settings.destination.split(',').map((each) => each.trim());
  const format = (['jsonlog', 'csvlog', 'stderr'] as const).find((each) => wanted.includes(each));
  if (!format) return { reason: `the server logs to ${settings.destination} only` };
  return readable(client, async () => {
    const found = await client.query<{ file: string | null; directory: string }>(
      `SELECT pg_current_logfile($1) AS file, current_setting('log_directory') AS directory`,
      [format],
    );
    const [row] = found.rows;
    if (!row || row.file === null) return { reason: 'the server has no log file at present' };
    // The first read is the test of the right to read.
    await client.query('SELECT pg_read_binary_file($1, 0, 1, true)', [row.file]);
    const extension = /\.[^./]*$/.exec(row.file)?.[0] ?? '';
    return { format, linePrefix: settings.prefix, directory: row.file.replace(/\/?[^/]*$/, ''), extension };
  });
}

/** What stands in the log now is not of interest. */
export async function startingPlaces(client: pg.Client, log: ReadableLog): Promise<Places> {
  return Object.fromEntries((await files(client, log)).map(({ name, size }) => [name, size]));
}

/** Whole lines added since `places`, in every file: also in one that was begun meanwhile, or emptied to be begun anew. */
export async function readFrom(
  client: pg.Client,
  log: ReadableLog,
  places: Places,
): Promise<{ lines: string[]; places: Places }> {
  const lines: string[] = [];
  const next: Record<string, number> = {};
  for (const { name, size } of await files(client, log)) {
    const known = places[name] ?? 0;
    const start = known > size ? 0 : known;
    const bytes = await read(client, log.directory === '' ? name : `${log.directory}/${name}`, start, size - start);
    // A line that is still being written is read the next time.
    const whole = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
    next[name] = start + whole.length;
    lines.push(...whole.toString('utf8').split('\n').slice(0, -1));
  }
  return { lines, places: next };
}

async function files(client: pg.Client, { extension }: ReadableLog): Promise<{ name: string; size: number }[]> {
  const { rows } = await client.query<{ name: string; size: string }>(
    'SELECT name, size::text FROM pg_ls_logdir() WHERE right(name, length($1)) = $1 ORDER BY modification, name',
    [extension],
  );
  return rows.map(({ name, size }) => ({ name, size: Number(size) }));
}

async function read(client: pg.Client, path: string, start: number, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let at = start;
  for (let left = length; left > 0 && chunks.length < CHUNKS_A_LOOK;) {
    // Bytes, not text: a piece may begin or end in the middle of a character.
    const { rows } = await client.query<{ bytes: Buffer | null }>(
      'SELECT pg_read_binary_file($1, $2, $3, true) AS bytes',
      [path, at, Math.min(left, CHUNK)],
    );
    const bytes = rows[0]?.bytes;
    if (!bytes || bytes.length === 0) break;
    chunks.push(bytes);
    at += bytes.length;
    left -= bytes.length;
  }
  return Buffer.concat(chunks);
}

async function readable<T>(client: pg.Client, work: () => Promise<T>): Promise<T | { readonly reason: string }> {
  try {
    const log = await work();
    await client.query('SELECT FROM pg_ls_logdir() LIMIT 0');
    return log;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === '42501') {
      return { reason: `the administrator may not read it: ${RIGHTS}` };
    }
    throw error;
  }
}
