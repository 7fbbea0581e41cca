/** Temporal's native runtime, once a process: its messages where ours go, its signals left to us, its metrics where asked for. */
import { setFlagsFromString } from 'node:v8';
import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';

/**
 * Percent that V8 lets a heap grow by between two full collections; by itself up to three hundred. A worker mostly waits: 200 runs at
 * their gates took 318 MB with it and 441 without, for a tenth more processor time (docs/performance.md).
 */
const HEAP_GROWTH = 25;

export type LogLine = (level: 'info' | 'warn' | 'error', message: string, facts?: Record<string, unknown>) => void;

export interface RuntimeOptions {
  readonly log: LogLine;
  /** The SDK's own chatter starts here; `WARN` says nothing while all is well. */
  readonly level: 'INFO' | 'WARN';
  /** `HOST:PORT` for Prometheus. */
  readonly metricsAddress?: string | undefined;
}

/** Before the first worker or native connection of the process. */
export function installRuntime({ log, level, metricsAddress }: RuntimeOptions): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH}`);
  Runtime.install({
    logger: new DefaultLogger(level, (entry) => {
      const known = entry.level === 'ERROR' ? 'error' : entry.level === 'WARN' ? 'warn' : 'info';
      log(known, entry.message, { ...(entry.meta as Record<string, unknown> | undefined) });
    }),
    // Ours is the order in which things end: the worker first, then what it talks to.
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: level, other: 'ERROR' }), forward: {} },
      ...(metricsAddress === undefined ? {} : { metrics: { prometheus: { bindAddress: metricsAddress } } }),
    },
  });
}
