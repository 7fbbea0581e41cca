/** What the demo claims about its database swap, each with what was seen in this run. */
import { formatMilliseconds } from '../domain/durations.js';
import { stepOf, type Claim } from './claims.js';
import type { Swapped, Wave } from './swap.js';

/** The aim for a swap's history; each hour that is skipped here is an event too. */
const EVENTS = 250;
const DAY_SECONDS = 24 * 3_600;

export function claimsOfSwap({ waves, selfApproval }: Swapped): Claim[] {
  const claims = waves.flatMap(claimsOfWave);
  if (selfApproval) {
    claims.push({
      what: 'messaging: who asked may not approve the next wave',
      holds: selfApproval.exitCode === 1 && selfApproval.stderr.includes('somebody else'),
      seen: selfApproval.stderr.split('\n')[0] ?? '',
    });
  }
  const last = waves.at(-1);
  const kept = stepOf(last?.report ?? null, 'Keep the old role for 24h')?.seconds ?? 0;
  claims.push({
    what: "messaging: production's old role was kept for 24 h (passed by the Temporal server's time skipping, not waited for)",
    holds: kept >= DAY_SECONDS && (last?.skipped ?? 0) >= DAY_SECONDS - 600,
    seen: `${formatMilliseconds(kept * 1_000)} by the workflow's clock`,
  });
  return claims;
}

function claimsOfWave({ system, report, traffic, changedLines, events }: Wave): Claim[] {
  const name = `messaging/${system.environment}`;
  const proof = stepOf(report, 'Prove that the old role is refused');
  return [
    {
      what: `${name}: the swap is completed and in the ledger`,
      holds: report?.outcome === 'completed' && report.ledgerSequence !== null && report.todo.length === 0,
      seen: report ? `${report.outcome}, ledger row ${report.ledgerSequence ?? 'missing'}` : 'no report',
    },
    {
      what: `${name}: through both waves and the drop no request failed, nobody signed in again`,
      holds: traffic.failed === 0 && traffic.refused === 0 && traffic.signedInAgain === 0 && traffic.served > 0,
      seen: `${traffic.served} served, ${traffic.failed} failed, ${traffic.refused} refused`,
    },
    {
      what: `${name}: the old credential is dead, the new one works`,
      holds: proof?.state === 'done',
      seen: proof?.error ?? proof?.evidence?.summary ?? 'the step is missing',
    },
    {
      what: `${name}: only DATABASE_URL's line of .env changed`,
      holds: changedLines.join() === 'DATABASE_URL',
      seen: `changed: ${changedLines.join(', ') || 'nothing'}`,
    },
    { what: `${name}: history under ${EVENTS} events`, holds: events > 0 && events < EVENTS, seen: `${events} events` },
  ];
}
