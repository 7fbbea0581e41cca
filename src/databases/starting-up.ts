/** A server that is starting up or being restarted says so: it is asked again, as it will answer in a moment. */
import { setTimeout as sleep } from 'node:timers/promises';

/** A recovery after a crash takes longer where much was written; then the activity's next attempt goes on asking. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 250;

export const CANNOT_CONNECT_NOW = '57P03';
/** Between the end of the old process and the beginning of the new one: only of a server that was there a moment ago. */
const MEANWHILE = ['ECONNREFUSED', 'ECONNRESET', ''];

export class Patience {
  private readonly until = performance.now() + PATIENCE_MS;
  private isRestarting = false;

  /** After a failed attempt: waits, if another one may come to something. @param state SQLSTATE or errno; empty: the connection broke. */
  async isWorthwhile(state: string, stop: AbortSignal): Promise<boolean> {
    this.isRestarting ||= state === CANNOT_CONNECT_NOW;
    const expected = state === CANNOT_CONNECT_NOW || (this.isRestarting && MEANWHILE.includes(state));
    if (!expected || performance.now() > this.until) return false;
    await sleep(PAUSE_MS, undefined, { signal: stop }).catch(() => undefined);
    return !stop.aborted;
  }
}
