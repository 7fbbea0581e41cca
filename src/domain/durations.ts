/** Durations as people write them in an inventory: `90d`, `24h`, `30m`, `10s`, `500ms`, `2w`. */
import { KeyturnError } from './errors.js';

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

export const DURATION_PATTERN = /^(\d{1,9})(ms|s|m|h|d|w)$/;

/** @returns milliseconds. @throws KeyturnError `bad-duration` for anything that is not a whole number and a unit. */
export function milliseconds(duration: string): number {
  const match = DURATION_PATTERN.exec(duration);
  if (!match) {
    throw new KeyturnError('bad-duration', `"${duration}" is not a duration`, { hint: 'write 90d, 24h, 30m or 10s' });
  }
  return Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}

/** At most two units, the largest first: `24h 5m`, `1.2s`, `350ms`. */
export function formatMilliseconds(total: number): string {
  // Rounded before they are compared: 59.96 s are a minute, not 60 s.
  if (Math.round(total) < 1_000) return `${Math.round(total)}ms`;
  const seconds = Math.round(total / 100) / 10;
  if (seconds < 60) return `${seconds}s`;
  const parts: string[] = [];
  let rest = Math.round(total / 1_000) * 1_000;
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    // 24 h reads better than 1 d in a rotation's context; days start at 48 h.
    if (unit === 'd' && total < 2 * UNITS.d) continue;
    const count = Math.floor(rest / UNITS[unit]);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * UNITS[unit];
  }
  return parts.slice(0, 2).join(' ');
}
