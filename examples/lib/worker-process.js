/** One worker as its primary sees it: starting, serving, draining, gone. */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const START_LIMIT_MS = 30_000;
/** The worker gives its requests DRAIN_LIMIT_MS; two seconds later it counts as hung. */
export const DRAIN_LIMIT_MS = 10_000;
const HUNG_AFTER_MS = 2_000;
const LINES_KEPT = 80;

/** @typedef {{ process: import('node:cluster').Worker, generation: number, lines: string[], draining: boolean }} WorkerProcess */

/** @param {Record<string, string>} environment @param {number} generation @returns {WorkerProcess} */
export function fork(environment, generation) {
  const process_ = cluster.fork({ ...environment, GENERATION: String(generation) });
  const worker = { process: process_, generation, lines: [], draining: false };
  relay(worker, process_.process.stdout, process.stdout);
  relay(worker, process_.process.stderr, process.stderr);
  process_.on('message', (message) => {
    if (message?.type === 'leaving') process_.send({ type: 'heard' }, () => undefined);
  });
  return worker;
}

/** @param {WorkerProcess} worker @throws Error with the worker's last lines when it ends, or does not listen in time. */
export async function listening(worker) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), START_LIMIT_MS);
  try {
    const first = await Promise.race([
      once(worker.process, 'listening', { signal: limit.signal }).then(() => 'listening'),
      // Its pipes close after its exit: only then are its last words complete.
      once(worker.process.process, 'close', { signal: limit.signal }).then(([code]) => `ended with code ${code}`),
    ]);
    if (first !== 'listening') throw new Error(lastWords(worker, `a new worker ${first}`));
  } catch (error) {
    if (!limit.signal.aborted) throw error;
    worker.process.process.kill('SIGKILL');
    throw new Error(lastWords(worker, `a new worker was not listening after ${START_LIMIT_MS / 1000} s`));
  } finally {
    clearTimeout(timer);
    limit.abort();
  }
}

/** Resolves when the worker is gone. @param {WorkerProcess} worker @param {boolean} hurry Close idle connections at once. */
export async function drain(worker, hurry = false) {
  if (worker.process.isDead()) return;
  worker.draining = true;
  const gone = once(worker.process, 'exit');
  if (worker.process.isConnected()) worker.process.send({ type: 'drain', hurry }, () => undefined);
  const timer = setTimeout(() => worker.process.process.kill('SIGKILL'), DRAIN_LIMIT_MS + HUNG_AFTER_MS);
  await gone;
  clearTimeout(timer);
}

/** @param {WorkerProcess} worker @param {string} what */
function lastWords(worker, what) {
  return [what, ...worker.lines].join('\n');
}

/** @param {WorkerProcess} worker @param {import('node:stream').Readable | null} from @param {NodeJS.WritableStream} to */
function relay(worker, from, to) {
  if (!from) return;
  createInterface({ input: from }).on('line', (line) => {
    worker.lines.push(line);
    if (worker.lines.length > LINES_KEPT) worker.lines.shift();
    to.write(`${line}\n`);
  });
}
