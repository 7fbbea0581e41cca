/**
 * The demo's database swap, beside its other rotations: messaging's role in staging and production, in waves, with the 24 h in
 * between passed by the Temporal server's own time skipping. Everything else takes its real time.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { KeyturnError } from '../domain/errors.js';
import type { RotationReport } from '../domain/report.js';
import type { RunStatus } from '../domain/status.js';
import { fastForward } from '../embedded/fast-forward.js';
import type { Keyturn, Said } from './keyturn.js';
import { APPROVER, REQUESTER } from './rotation.js';
import type { DemoSystem, Stage } from './stage.js';
import type { Counts, Traffic } from './traffic.js';

const REF = 'messaging/DATABASE_URL';
/** Waves, a day, two windows, on a loaded machine. */
const PATIENCE_MS = 420_000;
const LOOK_MS = 1_000;

interface StatusDocument {
  readonly runs: readonly {
    readonly workflowId: string;
    readonly runId: string;
    readonly status: RunStatus | string | null;
    readonly ending: { readonly reports: readonly RotationReport[] } | null;
  }[];
}

export interface Wave {
  readonly system: DemoSystem;
  readonly report: RotationReport | null;
  readonly traffic: Counts;
  readonly changedLines: readonly string[];
  readonly events: number;
  /** Waits that were passed by time skipping, seconds. */
  readonly skipped: number;
}

export interface Swapped {
  readonly waves: readonly Wave[];
  readonly selfApproval: Said | null;
}

/** @param values receives every password of the environments' files, before, during and after. */
export async function swapRole(
  { messaging, session }: Pick<Stage, 'messaging' | 'session'>,
  {
    keyturn,
    traffic,
    values,
    signal,
  }: { keyturn: Keyturn; traffic: Traffic; values: Set<string>; signal: AbortSignal },
): Promise<Swapped> {
  const before = await Promise.all(messaging.map(({ envFile }) => readFile(envFile, 'utf8')));
  const counts = messaging.map(({ environment }) => traffic.counts(`messaging/${environment}`));
  const started = await keyturn.peek(['rotate', REF, '--operator', REQUESTER, '--reason', 'routine']);
  if (started === null) throw new KeyturnError('demo-failed', `${REF} could not be started`);
  const connection = await Connection.connect({ address: session.temporalAddress });
  try {
    const client = new Client({ connection, namespace: session.namespace });
    const { skipped, selfApproval } = await accompany(messaging, { client, keyturn, values, signal });
    const waves = await Promise.all(
      messaging.map(async (system, index): Promise<Wave> => {
        const { report, runId } = await endOf(keyturn, system);
        const { events } = await client.workflow.getHandle(`rotate:${system.ref}`, runId).fetchHistory();
        return {
          system,
          report,
          traffic: difference(traffic.counts(`messaging/${system.environment}`), counts[index]),
          changedLines: changed(before[index] ?? '', await readFile(system.envFile, 'utf8')),
          events: events?.length ?? 0,
          skipped: skipped.get(system.ref) ?? 0,
        };
      }),
    );
    return { waves, selfApproval };
  } finally {
    await connection.close();
  }
}

interface Company {
  readonly client: Client;
  readonly keyturn: Keyturn;
  readonly values: Set<string>;
  readonly signal: AbortSignal;
}

/** Approves what is asked, skips what is waited for, until every environment's run has ended. */
async function accompany(
  messaging: readonly DemoSystem[],
  { client, keyturn, values, signal }: Company,
): Promise<{ skipped: Map<string, number>; selfApproval: Said | null }> {
  const skipped = new Map<string, number>();
  let selfApproval: Said | null = null;
  const deadline = Date.now() + PATIENCE_MS;
  const ended = new Set<string>();
  while (ended.size < messaging.length) {
    if (Date.now() > deadline) throw new KeyturnError('demo-failed', `${REF} did not come to its end in time`);
    await sleep(LOOK_MS, undefined, { signal });
    for (const system of messaging) {
      for (const line of (await readFile(system.envFile, 'utf8')).split('\n')) {
        const password = /^DATABASE_URL=\w+:\/\/[^:]+:([^@]+)@/.exec(line)?.[1];
        if (password !== undefined) values.add(password);
      }
      const [run] = (await keyturn.peek<StatusDocument>(['status', system.ref]))?.runs ?? [];
      if (!run) continue;
      if (run.ending) ended.add(system.ref);
      if (run.status === null || typeof run.status === 'string') continue;
      const { gate, wait } = run.status;
      if (gate) {
        selfApproval ??= await keyturn.execute(['approve', system.ref, '--as', REQUESTER]);
        await keyturn.execute(['approve', system.ref, '--as', APPROVER, '--note', 'looked at the plan']);
      } else if (wait) {
        const ahead = skipped.get(system.ref) ?? 0;
        skipped.set(system.ref, ahead + (await skip(client, run, wait.until, ahead)));
      }
    }
  }
  return { skipped, selfApproval };
}

/**
 * Up to the moment waited for, no further: what comes after takes its own time.
 * @param ahead seconds skipped before: the run lives that much ahead of the clock on the wall. @returns seconds.
 */
async function skip(
  client: Client,
  run: { workflowId: string; runId: string },
  until: string,
  ahead: number,
): Promise<number> {
  const seconds = Math.ceil((Date.parse(until) - Date.now()) / 1_000 - ahead);
  if (seconds <= 0) return 0;
  const { workflowId, runId } = run;
  await fastForward(client.workflowService, { namespace: client.options.namespace, workflowId, runId }, seconds);
  return seconds;
}

async function endOf(keyturn: Keyturn, { ref }: DemoSystem): Promise<{ report: RotationReport | null; runId: string }> {
  const [run] = (await keyturn.peek<StatusDocument>(['status', ref]))?.runs ?? [];
  return { report: run?.ending?.reports[0] ?? null, runId: run?.runId ?? '' };
}

function difference(after: Counts, before: Counts | undefined): Counts {
  const keys = Object.keys(after) as (keyof Counts)[];
  const counts = Object.fromEntries(keys.map((key) => [key, after[key] - (before?.[key] ?? 0)]));
  return { ...(counts as unknown as Counts), slowestMs: after.slowestMs };
}

function changed(before: string, after: string): string[] {
  const [old, now] = [before.split('\n'), after.split('\n')];
  const lines = Array.from({ length: Math.max(old.length, now.length) }, (_, index) => index);
  return lines
    .filter((index) => old[index] !== now[index])
    .map((index) => /^\w+/.exec(now[index] ?? '')?.[0] ?? `line ${index + 1}`);
}
