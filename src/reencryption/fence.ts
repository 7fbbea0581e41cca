/**
 * Keeps attempts that were given up for lost from writing under a new key that is about to be destroyed. A worker that slept (its
 * machine was suspended, its network gone) wakes up with its connections open and goes on where it was, whatever was decided meanwhile.
 *
 * Whoever writes is inside one of two fences, towards the new key or back to the old one: each of its sessions holds an advisory lock
 * that is named after the rotation and the direction, shared. Whoever writes in one direction ends the sessions in the other first;
 * whoever destroys the new key holds its lock alone until that is done.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { KeyturnError } from '../domain/errors.js';

export interface Fence {
  readonly rotation: string;
  readonly direction: 'to the new key' | 'back to the old key';
}

/** How long sessions may take to end: a statement of ours takes a second, and the server rolls it back at once. */
const PATIENCE_MS = 15_000;
const PAUSE_MS = 100;

/** Waits while somebody has it closed off. Held until the connection ends. */
export async function enter(client: pg.Client, fence: Fence): Promise<void> {
  await client.query('SELECT pg_advisory_lock_shared($1::bigint)', [keyOf(fence)]);
}

/** Ends the sessions that are inside. @throws KeyturnError `attempt-at-work` (retryable) when they cannot be ended. */
export async function turnOut(client: pg.Client, fence: Fence): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  while ((await end(client, fence)) > 0) await pause(until);
}

/** The same, and nobody comes in again before the connection ends. @throws KeyturnError as turnOut. */
export async function closeOff(client: pg.Client, fence: Fence): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    await end(client, fence);
    const { rows } = await client.query<{ had: boolean }>('SELECT pg_try_advisory_lock($1::bigint) AS had', [
      keyOf(fence),
    ]);
    if (rows[0]?.had === true) return;
    await pause(until);
  }
}

/** A bigint's upper half is `classid`, its lower half `objid` (documentation, "pg_locks"). */
const END = `
SELECT count(pg_terminate_backend(pid))::int AS ended
  FROM (SELECT DISTINCT pid FROM pg_locks
         WHERE locktype = 'advisory' AND objsubid = 1 AND pid <> pg_backend_pid()
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND classid = (($1::bigint >> 32) & 4294967295)::oid AND objid = ($1::bigint & 4294967295)::oid) inside`;

async function end(client: pg.Client, fence: Fence): Promise<number> {
  const { rows } = await client.query<{ ended: number }>(END, [keyOf(fence)]);
  return rows[0]?.ended ?? 0;
}

async function pause(until: number): Promise<void> {
  if (Date.now() > until) {
    throw new KeyturnError(
      'attempt-at-work',
      'an attempt that was given up for lost is still connected to the database',
      {
        retryable: true,
        hint: 'look in pg_stat_activity for sessions named keyturn, and end the process that they belong to',
      },
    );
  }
  await sleep(PAUSE_MS);
}

function keyOf({ rotation, direction }: Fence): string {
  return createHash('sha256')
    .update(`keyturn re-encryption ${rotation} ${direction}`)
    .digest()
    .readBigInt64BE()
    .toString();
}
