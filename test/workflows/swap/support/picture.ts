/** A place as it is, whole, in words that are the same for two places in the same state: names and passwords are replaced. */
import { readdir, readFile, stat } from 'node:fs/promises';
import pg from 'pg';
import { inspectRole } from '../../../../src/databases/roles/inspect-role.js';
import { run, serverOn } from '../../../databases/roles/support/world.js';
import type { Place } from './place.js';

export interface Picture {
  /** Role to everything that the server knows about it. */
  readonly roles: Readonly<Record<string, readonly string[]>>;
  /** Credential to what a log-in with it comes to. */
  readonly logins: Readonly<Record<string, string>>;
  /** Whose sessions are open. */
  readonly sessions: readonly string[];
  readonly env: string;
  readonly mode: string;
  /** What lies beside the .env. */
  readonly files: readonly string[];
  /** Whether every row is there that the application has written. */
  readonly work: string;
}

export async function pictureOf(place: Place): Promise<Picture> {
  const { mark, database, envFile, directory, application } = place;
  const said = (text: string): string => normalised(text, place);
  const server = serverOn(database.url);
  const roles: [string, string[]][] = [];
  for (const { rolname } of await run(
    database.url,
    `SELECT rolname FROM pg_roles WHERE rolname LIKE '${mark}\\_%' ORDER BY 1`,
  )) {
    const facts = await inspectRole(server, String(rolname));
    roles.push([said(String(rolname)), (facts?.lines ?? []).map(said).sort()]);
  }
  const logins: [string, string][] = [];
  for (const url of new Set([place.old.url, ...application.urls]))
    logins.push([said(credentialIn(url)), await logIn(url)]);
  const [counted] = await run(database.url, 'SELECT count(*)::int AS rows FROM app.work');
  return {
    roles: Object.fromEntries(roles.sort()),
    logins: Object.fromEntries(logins.sort()),
    sessions: (await sessionsOnceSettled(place)).map(said),
    env: said(await readFile(envFile, 'utf8')),
    mode: ((await stat(envFile)).mode & 0o777).toString(8),
    files: (await readdir(directory)).sort(),
    work:
      counted?.['rows'] === application.written
        ? 'all there'
        : `${String(counted?.['rows'])} rows of ${application.written}`,
  };
}

/** What a place must look like when a run was undone: as before, and whatever else it was deployed with is refused. */
export function asBefore(before: Picture, after: Picture): Picture {
  const others = Object.keys(after.logins).filter((login) => !(login in before.logins));
  const refused = Object.fromEntries(others.map((login) => [login, '28P01']));
  return { ...before, logins: { ...before.logins, ...refused } };
}

/** Differences by part, to be read by a person; empty: the same. */
export function differences(expected: Picture, actual: Picture): string[] {
  return (Object.keys(expected) as (keyof Picture)[]).flatMap((part) => {
    const [was, is] = [flat(expected[part]), flat(actual[part])];
    const lost = was.filter((line) => !is.includes(line)).map((line) => `${part}: missing: ${line}`);
    const more = is.filter((line) => !was.includes(line)).map((line) => `${part}: unexpected: ${line}`);
    return was.length === is.length || lost.length + more.length > 0 ? [...lost, ...more] : [`${part}: not as often`];
  });
}

function flat(part: Picture[keyof Picture]): string[] {
  if (typeof part === 'string') return [part];
  if (Array.isArray(part)) return part.map(String);
  return Object.entries(part).flatMap(([key, value]: [string, string | readonly string[]]) =>
    Array.isArray(value) ? [key, ...value.map((line) => `${key}: ${line}`)] : [`${key}: ${String(value)}`],
  );
}

/** @returns `in`, or the SQLSTATE of the refusal. */
export async function logIn(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return 'in';
  } catch (error) {
    return String((error as { code?: unknown }).code);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A session ends a moment after its client has left. */
async function sessionsOnceSettled({ mark, database }: Place): Promise<string[]> {
  const deadline = Date.now() + 5_000;
  for (;;) {
    const rows = await run(database.url, `SELECT usename FROM pg_stat_activity WHERE usename LIKE '${mark}\\_%'`);
    if (rows.length <= 1 || Date.now() > deadline) return rows.map(({ usename }) => String(usename)).sort();
    await new Promise((done) => setTimeout(done, 50));
  }
}

function credentialIn(url: string): string {
  const { username, password } = new URL(url);
  return `${username} ${password}`;
}

/** The same for every place in the same state. */
export function normalised(text: string, { mark, database, old }: Place): string {
  return text
    .replaceAll(old.password, 'OLD-PASSWORD')
    .replaceAll(new RegExp(`${mark}_new_\\d{6}_[0-9a-z]{6}`, 'g'), 'NEW')
    .replaceAll(new RegExp(`${mark}_([a-z]+)`, 'g'), (_, role: string) => role.toUpperCase())
    .replaceAll(new RegExp(`${database.name}\\b`, 'g'), 'DATABASE')
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'NEW-PASSWORD')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'RUN');
}
