/** `keyturn worker`: a worker only, beside the files and engines that it changes. */
import { workerSettings, type WorkerSettings } from '../config.js';
import { createLog } from '../log.js';
import { startWorker, type RunningWorker } from '../worker.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { aborted, watchInterrupts } from './interrupts.js';
import { invocationForOthers } from './invocation.js';
import { reachingTemporal } from './reaching-temporal.js';
import { installRuntime, type LogLine } from './runtime.js';
import { readSettings } from './settings.js';

export interface WorkerOptions {
  readonly taskQueue?: string;
}

/** Runs until it is asked to end; then lets running activities come to rest. */
export async function worker(context: Context, options: WorkerOptions): Promise<ExitCode> {
  const found = await readSettings(context);
  const own = workerSettings(found.variables, {
    taskQueue: options.taskQueue ?? found.taskQueue,
    inventory: found.inventory(),
    command: invocationForOthers(),
  });
  const settings: WorkerSettings = found.temporal ? { ...own, temporal: found.temporal } : own;
  const { address = 'localhost:7233' } = settings.temporal.connectionOptions;
  const logger = createLog();
  const log: LogLine = (level, message, facts) => logger[level](facts ?? {}, message);
  installRuntime({ log, level: 'INFO', metricsAddress: settings.metricsAddress });
  const interrupts = watchInterrupts();
  try {
    const running = await reachingTemporal(address, () => startWorker(settings, { log }));
    const { taskQueue } = running;
    context.console.note(`worker for task queue "${taskQueue}" at ${address}, inventory ${settings.inventory}`);
    context.console.document({ taskQueue, address, inventory: settings.inventory, pid: process.pid });
    await untilAskedToEnd(running, interrupts.signal);
    return EXIT.done;
  } finally {
    interrupts.release();
  }
}

/** @throws what the worker failed with. */
async function untilAskedToEnd(running: RunningWorker, signal: AbortSignal): Promise<void> {
  await Promise.race([aborted(signal), running.stopped]);
  await running.stop();
}
