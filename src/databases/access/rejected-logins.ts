/** Who still tries the old role after it lost its right to log in, read from the servers' own logs (runbook 003: "observe"). */
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { oneLine } from '../../processes/safe-text.js';
import type { Server } from '../server.js';
import { addressIn, type LogFormat } from './log-formats.js';
import { describeLog, readFrom, startingPlaces, type Places, type ReadableLog } from './server-log.js';

/** What is known so far: numbers and addresses, fit for a heartbeat, so that another worker goes on where this one stopped. */
export interface WatchProgress {
  /** Milliseconds. */
  readonly elapsed: number;
  readonly rejected: number;
  readonly from: readonly string[];
  /** Node → log file → bytes read; without the nodes whose log could not be read. */
  readonly places: Readonly<Record<string, Places>>;
}

export interface WatchOptions {
  /** How long to watch in all. */
  readonly milliseconds: number;
  readonly signal: AbortSignal;
  /** What an earlier attempt has watched already; `resume` says it with what it has seen. */
  readonly alreadyElapsed?: number;
  readonly resume?: WatchProgress;
  readonly onProgress?: (progress: WatchProgress) => void;
}

export interface RejectedLogins extends Evidence {
  /** false: the log of at least one node could not be read, and the summary says why. */
  readonly readable: boolean;
  readonly rejected: number;
  /** Addresses, where the log's lines tell them; 20 at most. */
  readonly from: readonly string[];
}

/** A client that retries does so every few seconds; and each look is a connection. */
const EVERY_MS = 5_000;
/** The server writes its log through a collector, a moment later. */
const SETTLE_MS = 300;
const ADDRESSES = 20;

/**
 * Watches for the whole time, also where no log can be read: people and monitors notice as well, and the time is what was agreed on.
 * Counts `role "…" is not permitted to log in`, which the server says only to who knows the password. Changes nothing.
 * A log that cannot be read is an answer (`readable: false`), not an error. @throws the signal's reason when it aborts.
 */
export async function watchRejectedLogins(
  server: Server,
  role: string,
  options: WatchOptions,
): Promise<RejectedLogins> {
  const { milliseconds, signal, onProgress, resume } = options;
  const before = resume?.elapsed ?? options.alreadyElapsed ?? 0;
  // Not the wall clock: it may be set while we wait.
  const start = performance.now() - before;
  const elapsed = (): number => Math.round(performance.now() - start);
  const watches = server.nodes.map((node) => new NodeWatch(server, node, role, resume?.places[node] ?? null));
  const addresses = new Set(resume?.from);
  let rejected = resume?.rejected ?? 0;
  const look = async (): Promise<void> => {
    for (const found of await Promise.all(watches.map((watch) => watch.look()))) {
      rejected += found.length;
      for (const address of found) if (address !== null && addresses.size < ADDRESSES) addresses.add(address);
    }
    // A log that could not be read yet has no place: without one it is watched from where it stands, not from its beginning.
    const places = Object.fromEntries(
      watches.filter(({ started }) => started).map(({ node, places: own }) => [node, own]),
    );
    onProgress?.({ elapsed: elapsed(), rejected, from: [...addresses], places });
  };
  await look();
  for (let left = milliseconds - elapsed(); left > 0; left = milliseconds - elapsed()) {
    await pause(Math.min(EVERY_MS, left), signal);
    await look();
  }
  await pause(SETTLE_MS, signal);
  await look();
  const unread = watches.flatMap(({ node, reason }) => (reason === null ? [] : [`${node}: ${reason}`]));
  const from = [...addresses];
  const who = from.length === 0 ? '' : ` from ${from.join(', ')}`;
  const seconds = Math.round(milliseconds / 1_000);
  const gap = unread.length === 0 ? '' : `; not readable: ${unread.join('; ')}`;
  return {
    summary: oneLine(`${rejected} rejected log-ins of ${role} in ${seconds} s${who}${gap}`),
    facts: { rejected, readable: unread.length === 0, milliseconds: elapsed(), from: from.join(', ') || null },
    readable: unread.length === 0,
    rejected,
    from,
  };
}

/** The log of one node. */
class NodeWatch {
  places: Places;
  /** Why it cannot be read; null: it could, the last time. */
  reason: string | null = null;
  started: boolean;

  constructor(
    private readonly server: Server,
    readonly node: string,
    private readonly role: string,
    resumed: Places | null,
  ) {
    this.places = resumed ?? {};
    this.started = resumed !== null;
  }

  /** @returns for every rejected log-in since the last look, where it came from. */
  async look(): Promise<(string | null)[]> {
    try {
      return await this.server.asAdministrator(
        async (client) => {
          const log = await describeLog(client);
          if ('reason' in log) {
            this.reason = log.reason;
            return [];
          }
          this.reason = null;
          if (!this.started) {
            this.places = await startingPlaces(client, log);
            this.started = true;
            return [];
          }
          const { lines, places } = await readFrom(client, log, this.places);
          this.places = places;
          return this.rejectedIn(lines, log);
        },
        { node: this.node },
      );
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      // The server may be restarting: the next look reads on from the same place.
      this.reason = error.message;
      return [];
    }
  }

  private rejectedIn(lines: readonly string[], { format, linePrefix }: ReadableLog): (string | null)[] {
    const message = `role "${this.role}" is not permitted to log in`;
    return lines.flatMap((line) => {
      const found = addressIn(line, message, format satisfies LogFormat, linePrefix);
      return found === undefined ? [] : [found];
    });
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted());
}
