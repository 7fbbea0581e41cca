/** A system as it is, whole, in words that are the same for two systems in the same state. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { id, run } from '../../../databases/roles/support/world.js';
import { opened } from './fernet.js';
import type { System } from './system.js';

export interface Picture {
  /** Whether every row says what it must, under the key that the store shows alone. */
  readonly rows: string;
  /** Rows that still read under the first key. */
  readonly underOld: number;
  readonly nothing: number;
  readonly env: string;
  readonly mode: string;
  readonly files: readonly string[];
  readonly runs: boolean;
  /** The application's own decryption check. */
  readonly health: string;
}

export async function pictureOf(system: System): Promise<Picture> {
  const { application, database, table, oldKey, envFile } = system;
  const env = await readFile(envFile, 'utf8');
  const key = /^ENCRYPTION_KEY=(.*)$/m.exec(env)?.[1] ?? '';
  const rows = await run(database.url, `SELECT id, value FROM ${id(table)} ORDER BY id`);
  const wrong: string[] = [];
  let [underOld, nothing] = [0, 0];
  for (const row of rows) {
    const value = row['value'] as string | null;
    if (value === null || value === '') nothing += 1;
    else {
      if (opened(value, key) !== application.truth.get(Number(row['id']))) wrong.push(String(row['id']));
      if (opened(value, oldKey) !== null) underOld += 1;
    }
  }
  return {
    rows:
      wrong.length === 0 && rows.length === application.truth.size + nothing
        ? 'all there'
        : `wrong: ${wrong.join(', ')}`,
    underOld,
    nothing,
    env: env.replace(key, key === oldKey ? 'OLD-KEY' : 'NEW-KEY'),
    mode: ((await stat(envFile)).mode & 0o777).toString(8),
    files: (await readdir(dirname(envFile))).sort(),
    runs: application.running,
    health: await application.readEverything().then(
      () => 'well',
      (error: unknown) => String(error),
    ),
  };
}

/** Rows and file to the byte: what an undone run in one transaction leaves as it was. */
export async function bytesOf({ database, table, envFile }: System): Promise<string> {
  const [row] = await run(
    database.url,
    `SELECT md5(string_agg(id || ':' || coalesce(value, '-'), ',' ORDER BY id)) AS sum FROM ${id(table)}`,
  );
  return `${String(row?.['sum'])} ${await readFile(envFile, 'utf8')}`;
}
