/** Systems that have lost a key, and people who decide and enter again while a recovery runs. */
import type { WorkflowHandle } from '@temporalio/client';
import { APPROVE, STATUS_QUERY } from '../../../../src/domain/messages.js';
import type { RunStatus } from '../../../../src/domain/status.js';
import { id, run } from '../../../databases/roles/support/world.js';
import { BEN } from '../../support/real-stage.js';
import { freshKey, sealed } from './fernet.js';
import type { System } from './system.js';

/** Every second row is under a key that nobody has. @returns their ids. */
export async function loseHalf(system: System): Promise<number[]> {
  return await lose(
    system,
    [...system.application.truth.keys()].filter((row) => row % 2 === 0),
  );
}

export async function lose({ database, table, application }: System, rows: readonly number[]): Promise<number[]> {
  const key = freshKey();
  for (const row of rows) {
    application.truth.delete(row);
    await run(database.url, `UPDATE ${id(table)} SET value = '${sealed(`lost ${row}`, key)}' WHERE id = ${row}`);
  }
  return [...rows];
}

/** As an administrator of the application would: under the key that it has. */
export async function enterAgain({ database, table, application }: System, rows: readonly number[]): Promise<void> {
  for (const row of rows) {
    const value = sealed(`entered anew ${row}`, application.keys[0] ?? '');
    await run(database.url, `INSERT INTO ${id(table)} (id, value) VALUES (${row}, '${value}')`);
    application.truth.set(row, `entered anew ${row}`);
  }
}

export async function quarantineOf({ database, table }: System): Promise<{ id: number; value: string }[]> {
  const [found, ...others] = await run(
    database.url,
    `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND starts_with(relname, '${table}_quarantine_')`,
  );
  if (others.length > 0) throw new Error('more than one quarantine');
  if (!found) return [];
  const rows = await run(database.url, `SELECT id::int, value FROM ${id(String(found['name']))} ORDER BY id`);
  return rows as unknown as { id: number; value: string }[];
}

/** Tables that a recovery has made, by name. */
export async function tablesBeside({ database, table }: System): Promise<string[]> {
  const made = `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relname ~ '^${table}_(quarantine|identities)_'`;
  return (await run(database.url, made)).map((row) => String(row['name']));
}

/** Approves whatever is asked, until it is told to leave. */
export function attend(handle: WorkflowHandle): () => Promise<void> {
  const leave = new AbortController();
  const attending = (async () => {
    while (!leave.signal.aborted) {
      await new Promise((done) => setTimeout(done, 100));
      try {
        const { gate } = await handle.query<RunStatus>(STATUS_QUERY);
        if (gate) await handle.executeUpdate(APPROVE, { args: [{ ...BEN, gate: gate.name, plan: gate.plan }] });
      } catch {
        // It has not begun, it was decided already, or it has ended.
      }
    }
  })();
  return async () => {
    leave.abort();
    await attending;
  };
}
