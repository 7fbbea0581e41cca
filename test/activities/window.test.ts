import { describe, expect, it } from 'vitest';
import { findWindow } from '../../src/activities/window.js';

const NIGHT = { opens: '0 2 * * *', stays: '2h', timeZone: 'Europe/Berlin' };
const at = (iso: string): Date => new Date(iso);

describe('a maintenance window', () => {
  it('that is open now is not waited for, and says when it closes', () => {
    expect(findWindow(NIGHT, at('2026-01-10T01:30:00Z'))).toEqual({
      waitMilliseconds: 0,
      opensAt: '2026-01-10T01:00:00.000Z',
      closesAt: '2026-01-10T03:00:00.000Z',
    });
  });

  it('that has just closed is waited for until the next night', () => {
    const { waitMilliseconds, opensAt } = findWindow(NIGHT, at('2026-01-10T03:00:01Z'));
    expect(opensAt).toBe('2026-01-11T01:00:00.000Z');
    expect(waitMilliseconds).toBe(22 * 3_600_000 - 1_000);
  });

  it('opens by the clock of its time zone, also when that changes for the summer', () => {
    expect(findWindow(NIGHT, at('2026-07-10T12:00:00Z')).opensAt).toBe('2026-07-11T00:00:00.000Z');
  });

  it('is looked for at the time the workflow says, whatever this clock shows', () => {
    expect(findWindow({ ...NIGHT, at: '2026-01-10T01:30:00Z' }).waitMilliseconds).toBe(0);
  });

  it('that never opens is an error and not an endless wait', () => {
    expect(() => findWindow({ opens: '0 0 30 2 *', stays: '1h', timeZone: 'UTC' })).toThrow('never opens');
  });
});
