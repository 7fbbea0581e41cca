/** The demo's tables: steps and how long they took, what the traffic saw, and the claims. */
import Table from 'cli-table3';
import { formatMilliseconds } from '../domain/durations.js';
import { redact } from '../domain/secret-value.js';
import { stepOf, type Claim } from './claims.js';
import type { Rotated } from './rotation.js';

type Shown = Pick<Rotated, 'system' | 'report' | 'traffic'>;

export function stepsTable(rotations: readonly Shown[]): string {
  const table = new Table({
    head: ['Secret', 'Step', 'Took', 'Result'],
    style: { head: [], border: [] },
    colWidths: [40, 58, 10, 10],
  });
  for (const { report, system } of rotations) {
    for (const step of report?.steps ?? []) {
      table.push([system.ref, step.name, formatMilliseconds((step.seconds ?? 0) * 1_000), step.state]);
    }
  }
  return table.toString();
}

export function trafficTable(rotations: readonly Shown[]): string {
  const head = [
    'System',
    'Method',
    'Served',
    'Failed',
    'Refused',
    'Signed in again',
    'Sessions',
    'Ledger row',
    'Next due',
  ];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { system, report, traffic } of rotations) {
    const sessions = stepOf(report, 'End all sessions')?.evidence?.facts;
    table.push([
      system.name === 'messaging' ? `messaging/${system.environment}` : system.name,
      report?.method ?? '?',
      traffic.served,
      traffic.failed,
      traffic.refused,
      traffic.signedInAgain,
      sessions ? `${sessions['before'] ?? '?'} → ${sessions['after'] ?? '?'}` : 'kept',
      report?.ledgerSequence ?? '?',
      report?.nextDueAt?.slice(0, 10) ?? 'none',
    ]);
  }
  return table.toString();
}

export function claimsTable(claims: readonly Claim[]): string {
  const table = new Table({
    head: ['', 'Claim', 'Seen'],
    style: { head: [], border: [] },
    colWidths: [6, 64, 72],
    wordWrap: true,
  });
  for (const { holds, what, seen } of claims) table.push([holds ? 'yes' : 'NO', what, redact(seen)]);
  return table.toString();
}
