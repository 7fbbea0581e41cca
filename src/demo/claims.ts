/** What the demo claims, each with what was seen. Nothing here is asserted that was not measured in this run. */
import type { RotationReport } from '../domain/report.js';
import type { Rotated } from './rotation.js';

export interface Claim {
  readonly what: string;
  readonly holds: boolean;
  readonly seen: string;
}

/** The aim for a rotation's history. */
const EVENTS = 150;

export function claimsOf(rotated: Rotated, { people, events }: { people: number; events: number }): Claim[] {
  const { report, traffic, system, selfApproval } = rotated;
  const { name } = system;
  const claims: Claim[] = [
    {
      what: `${name}: the rotation is completed and in the ledger`,
      holds: report?.outcome === 'completed' && report.ledgerSequence !== null && report.todo.length === 0,
      seen: report ? `${report.outcome}, ledger row ${report.ledgerSequence ?? 'missing'}` : 'no report',
    },
    {
      what: `${name}: no request failed`,
      holds: traffic.failed === 0 && traffic.served > 0,
      seen: `${traffic.served} served, ${traffic.failed} failed`,
    },
    {
      what: `${name}: the old value is dead, the new one works`,
      holds: stepOf(report, 'Prove that the old value is refused')?.state === 'done',
      seen: summaryOf(report, 'Prove that the old value is refused'),
    },
    {
      what: `${name}: only the secret's own line of .env changed`,
      holds: changedLines(rotated).length === 1,
      seen: `changed: ${changedLines(rotated).join(', ') || 'nothing'}`,
    },
    { what: `${name}: history under ${EVENTS} events`, holds: events > 0 && events < EVENTS, seen: `${events} events` },
  ];
  if (selfApproval) {
    claims.push({
      what: `${name}: who asked may not approve`,
      holds: selfApproval.exitCode === 1 && selfApproval.stderr.includes('somebody else'),
      seen: selfApproval.stderr.split('\n')[0] ?? '',
    });
  }
  return [...claims, ...usersOf(rotated, people)];
}

/** What the people using it were to notice: nothing with overlap, one sign-in without. */
function usersOf({ report, traffic, system }: Rotated, people: number): Claim[] {
  const { name } = system;
  if (report?.method.startsWith('overlap')) {
    return [
      {
        what: `${name}: nobody was logged out, no request refused`,
        holds: traffic.refused === 0 && traffic.signedInAgain === 0,
        seen: `${traffic.refused} refused, ${traffic.signedInAgain} signed in again`,
      },
    ];
  }
  const claims: Claim[] = [
    {
      what: `${name}: everybody had to sign in again`,
      holds: traffic.refused >= people && traffic.signedInAgain >= people,
      seen: `${traffic.refused} refused, ${traffic.signedInAgain} signed in again (${people} people)`,
    },
  ];
  const sessions = stepOf(report, 'End all sessions')?.evidence?.facts;
  if (sessions) {
    claims.push({
      what: `${name}: all sessions ended`,
      holds: Number(sessions['before']) > 0 && Number(sessions['revoked']) >= people,
      seen: summaryOf(report, 'End all sessions'),
    });
  }
  return claims;
}

export function stepOf(report: RotationReport | null, name: string): RotationReport['steps'][number] | undefined {
  return report?.steps.find((step) => step.name === name);
}

function summaryOf(report: RotationReport | null, name: string): string {
  const step = stepOf(report, name);
  return step?.error ?? step?.evidence?.summary ?? 'the step is missing';
}

/** Names of the variables whose lines differ; `line N` where the line is none. */
function changedLines({ fileBefore, fileAfter }: Rotated): string[] {
  const [before, after] = [fileBefore.split('\n'), fileAfter.split('\n')];
  const length = Math.max(before.length, after.length);
  const differing = Array.from({ length }, (_, index) => index).filter((index) => before[index] !== after[index]);
  return differing.map((index) => /^\w+/.exec(after[index] ?? before[index] ?? '')?.[0] ?? `line ${index + 1}`);
}
