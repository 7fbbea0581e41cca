/** Temporal's native runtime, once a process: its messages where ours go, its signals left to us, its metrics where asked for. */
import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';

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
