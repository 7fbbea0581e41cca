/** One rotation of the demo: asked for by one person, approved by another, watched to its end, with traffic before, during, after. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RotationReport } from '../domain/report.js';
import type { RunStatus } from '../domain/status.js';
import type { Keyturn, Said } from './keyturn.js';
import type { DemoSystem } from './stage.js';
import type { Counts, Traffic } from './traffic.js';

export const REQUESTER = 'ana@example.test';
export const APPROVER = 'ben@example.test';

/** Traffic that goes on after a rotation shows what it left. */
const AFTERMATH_MS = 3_000;

/** What `keyturn status REF --json` prints, as far as it is needed here. */
interface StatusDocument {
  readonly runs: readonly {
    readonly status: RunStatus | string | null;
    readonly ending: { readonly reports: readonly RotationReport[] } | null;
  }[];
}

export interface Rotated {
  readonly system: DemoSystem;
  readonly started: Said;
  readonly report: RotationReport | null;
  readonly traffic: Counts;
  /** What `keyturn approve --as` the requester answered; null where no gate opened. */
  readonly selfApproval: Said | null;
  readonly fileBefore: string;
  readonly fileAfter: string;
}

/** @param values receives every value of the system's file, before, during and after. */
export async function rotate(
  system: DemoSystem,
  { keyturn, traffic, values }: { keyturn: Keyturn; traffic: Traffic; values: Set<string> },
): Promise<Rotated> {
  const { ref, name, envFile } = system;
  const fileBefore = await readFile(envFile, 'utf8');
  const before = traffic.counts(name);
  const end = { reached: false };
  const running = keyturn
    .run(['rotate', ref, '--operator', REQUESTER, '--reason', 'routine', '--wait'])
    .finally(() => (end.reached = true));
  const approving = approveAsSecondPerson(ref, keyturn, end);
  const collecting = collectValues(envFile, values, end);
  const started = await running;
  const [selfApproval] = await Promise.all([approving, collecting]);
  await sleep(AFTERMATH_MS);
  const [ended] = (await keyturn.json<StatusDocument>(['status', ref])).runs;
  return {
    system,
    started,
    report: ended?.ending?.reports[0] ?? null,
    traffic: difference(traffic.counts(name), before),
    selfApproval,
    fileBefore,
    fileAfter: await readFile(envFile, 'utf8'),
  };
}

/** First the requester tries, and is refused; then somebody else agrees. */
async function approveAsSecondPerson(ref: string, keyturn: Keyturn, end: { reached: boolean }): Promise<Said | null> {
  let selfApproval: Said | null = null;
  while (!end.reached) {
    await sleep(1_000);
    const [run] = (await keyturn.peek<StatusDocument>(['status', ref]))?.runs ?? [];
    if (!run || typeof run.status === 'string' || !run.status?.gate) continue;
    selfApproval ??= await keyturn.run(['approve', ref, '--as', REQUESTER]);
    await keyturn.run(['approve', ref, '--as', APPROVER, '--note', 'looked at the plan']);
  }
  return selfApproval;
}

async function collectValues(envFile: string, values: Set<string>, end: { reached: boolean }): Promise<void> {
  while (!end.reached) {
    for (const line of (await readFile(envFile, 'utf8')).split('\n')) {
      const [key, value = ''] = line.split(/=(.*)/s);
      if (!/(SECRET|KEY|TOKEN|PASSWORD)$/.test(key ?? '')) continue;
      for (const one of value.split(',')) if (one.length >= 16) values.add(one);
    }
    await sleep(100);
  }
}

function difference(after: Counts, before: Counts): Counts {
  const keys = Object.keys(after) as (keyof Counts)[];
  const counts = Object.fromEntries(keys.map((key) => [key, after[key] - before[key]]));
  return { ...(counts as unknown as Counts), slowestMs: after.slowestMs };
}
