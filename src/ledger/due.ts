/** When a secret is due again: its cadence after the rotation finished (document 003: record the next scheduled date). */
import { milliseconds } from '../domain/durations.js';

/**
 * @param finishedAt ISO 8601. @param cadence e.g. `90d`: days of 24 hours, whatever clocks on walls do.
 * @returns ISO 8601, UTC; null without a cadence. @throws KeyturnError `bad-duration`.
 */
export function nextDue(finishedAt: string, cadence: string): string;
export function nextDue(finishedAt: string, cadence: string | null): string | null;
export function nextDue(finishedAt: string, cadence: string | null): string | null {
  return cadence === null ? null : new Date(Date.parse(finishedAt) + milliseconds(cadence)).toISOString();
}
