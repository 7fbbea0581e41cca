/**
 * What a process has opened, closed in reverse order, once, however it ends: at its normal end, on Ctrl-C, SIGTERM or a
 * closed terminal, and on an error that nobody caught. (SIGKILL is the reaper's.) A second Ctrl-C does not wait.
 */
import { constants } from 'node:os';
import { redact } from '../domain/secret-value.js';
import { killAllGuarded } from './reaper.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Shutdown {
  /** `release` is called once, after everything that was added later. */
  add(name: string, release: () => Promise<unknown>): void;
  /** Aborted when the process was asked to end: for whoever waits. */
  readonly signal: AbortSignal;
  /** Releases everything; idempotent, and never rejects: what fails is reported and the rest is released all the same. */
  run(): Promise<void>;
  /** Stops listening to signals, for a process that goes on. */
  detach(): void;
}

export interface ShutdownOptions {
  /** For people, one line each. Defaults to standard error. */
  readonly report?: (line: string) => void;
}

/** One a process, made before anything is started. */
export function createShutdown(options: ShutdownOptions = {}): Shutdown {
  const report = options.report ?? ((line) => process.stderr.write(`${line}\n`));
  const resources: { readonly name: string; readonly release: () => Promise<unknown> }[] = [];
  const asked = new AbortController();
  let running: Promise<void> | null = null;

  const releaseAll = async (): Promise<void> => {
    for (let last = resources.pop(); last !== undefined; last = resources.pop()) {
      try {
        await last.release();
      } catch (error) {
        report(`error: ${last.name} did not stop in good order: ${redact(messageOf(error))}`);
      }
    }
  };
  const run = (): Promise<void> => (running ??= releaseAll());

  const endWith = (code: number): void => {
    if (asked.signal.aborted) {
      // Asked twice: whoever asks does not want to wait for good order.
      killAllGuarded();
      process.exit(code);
    }
    asked.abort();
    void run().then(() => process.exit(code));
  };
  // 128 + the signal's number, as a shell reports it.
  const onSignal = (signal: NodeJS.Signals): void => endWith(128 + constants.signals[signal]);
  const onError = (error: unknown): void => {
    report(`error: ${redact(messageOf(error))}`);
    endWith(1);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.on('uncaughtException', onError);
  process.on('unhandledRejection', onError);

  return {
    signal: asked.signal,
    add: (name, release) => void resources.push({ name, release }),
    run,
    detach() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
      process.off('uncaughtException', onError);
      process.off('unhandledRejection', onError);
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
