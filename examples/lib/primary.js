/** The process that owns the port. It never serves a request itself, and it stays while generations of workers come and go. */
import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import { bornAt, removeControlFiles, writePid, writeState } from './control-files.js';
import { readEnvFile, wholeNumber } from './environment.js';
import { answerTotals } from './metrics.js';
import { drain, fork, listening } from './worker-process.js';

/** @typedef {import('./worker-process.js').WorkerProcess} WorkerProcess */

const RESPAWN_AFTER_MS = 500;
const RESPAWN_AT_MOST_MS = 10_000;

/** @param {string} name */
export async function runPrimary(name) {
  // Connections are handed out by this process, so it can withhold them from a worker that is leaving.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  cluster.setupPrimary({ silent: true });
  const pidFile = process.env.PID_FILE;
  const born = bornAt('self');
  /** @type {WorkerProcess[]} */
  let current = [];
  /** @type {Record<string, string>} */
  let environment = {};
  let generation = 0;
  let busy = false;
  let asked = false;
  let stopping = false;
  let crashes = 0;

  /** @param {'starting' | 'running' | 'replacing' | 'failed'} phase @param {bigint} readAt @param {string} [reason] */
  const tell = (phase, readAt, reason) => {
    if (!pidFile || stopping) return;
    writeState(pidFile, { name, pid: process.pid, born, phase, generation, readAt: String(readAt), reason });
  };

  /**
   * All or nothing: the new workers come up one after the other beside the old ones, and only when all of them listen do
   * the old ones leave. One that cannot start takes its generation with it, and the old one never noticed.
   */
  async function replace() {
    const readAt = process.hrtime.bigint();
    generation += 1;
    tell(current.length === 0 ? 'starting' : 'replacing', readAt);
    /** @type {WorkerProcess[]} */
    const fresh = [];
    try {
      const next = readEnvFile();
      const instances = Math.max(1, wholeNumber({ ...process.env, ...next }, 'INSTANCES', 2));
      while (fresh.length < instances && !stopping) {
        const worker = fork(next, generation);
        fresh.push(worker);
        await listening(worker);
      }
      if (fresh.some((worker) => worker.process.isDead())) throw new Error('a new worker ended right after its start');
      const old = current;
      current = fresh;
      environment = next;
      await Promise.all(old.map((worker) => drain(worker)));
      console.log(`${name}: generation ${generation} serves with ${instances} workers`);
      tell('running', readAt);
    } catch (error) {
      await Promise.all(fresh.map((worker) => drain(worker, true)));
      const reason = error instanceof Error ? error.message : String(error);
      console.error(`${name}: generation ${generation} failed: ${reason.split('\n', 1)[0]}`);
      tell('failed', readAt, reason);
      // The very first generation has nothing to fall back on.
      if (current.length === 0) await stop(1);
    }
  }

  /** Signals that arrive meanwhile become one more round: its settings are read after the last of them. */
  async function reload() {
    asked = true;
    if (busy) return;
    busy = true;
    while (asked && !stopping) {
      asked = false;
      await replace();
    }
    busy = false;
  }

  /** @param {WorkerProcess} lost */
  async function respawn(lost) {
    console.error(`${name}: a worker of generation ${lost.generation} ended unexpectedly; starting another`);
    await sleep(Math.min(RESPAWN_AFTER_MS * 2 ** crashes, RESPAWN_AT_MOST_MS));
    crashes += 1;
    if (stopping || !current.includes(lost)) return;
    const worker = fork(environment, lost.generation);
    current = current.map((one) => (one === lost ? worker : one));
    await listening(worker).then(
      () => (crashes = 0),
      (error) => console.error(`${name}: ${error.message.split('\n', 1)[0]}`),
    );
  }

  /** @param {number} code */
  async function stop(code) {
    if (stopping) return;
    stopping = true;
    if (pidFile) removeControlFiles(pidFile);
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    await Promise.all(
      workers.map((process_) => drain({ process: process_, generation: 0, lines: [], draining: true }, true)),
    );
    process.exit(code);
  }

  cluster.on('message', answerTotals());
  cluster.on('exit', (process_) => {
    const lost = current.find((worker) => worker.process === process_);
    if (lost && !lost.draining && !stopping) void respawn(lost);
  });
  process.on('SIGHUP', () => void reload());
  process.on('SIGTERM', () => void stop(0));
  process.on('SIGINT', () => void stop(0));
  if (pidFile) writePid(pidFile);
  await reload();
}
