/**
 * Counters for monitors. Workers come and go, so the primary keeps the totals: they only ever rise while it lives, and any
 * worker can answer for all.
 */
import { EventEmitter, once } from 'node:events';

const FLUSH_EVERY_MS = 100;
const answers = new EventEmitter().setMaxListeners(0);

/** In the primary. @returns {(worker: import('node:cluster').Worker, message: any) => void} */
export function answerTotals() {
  /** @type {Record<string, number>} */
  const totals = {};
  return (worker, message) => {
    if (message?.type !== 'count' && message?.type !== 'totals') return;
    for (const [name, by] of Object.entries(message.counts)) totals[name] = (totals[name] ?? 0) + by;
    if (message.type === 'totals') worker.send({ type: 'totals', id: message.id, totals }, () => undefined);
  };
}

/**
 * In a worker. `observe` counts every answer by class; `count` counts anything else by name; `endpoint` shows the totals.
 * @param {string[]} names What the application counts itself: they are shown as 0 until they happen.
 */
export function createMetrics(names) {
  /** @type {Record<string, number>} */
  let pending = {};
  let lastId = 0;

  /** @param {string} name */
  const count = (name) => {
    pending[name] = (pending[name] ?? 0) + 1;
  };
  const take = () => {
    const counts = pending;
    pending = {};
    return counts;
  };
  /** @param {() => void} [sent] */
  const flush = (sent = () => undefined) => {
    if (process.connected && Object.keys(pending).length > 0)
      process.send?.({ type: 'count', counts: take() }, undefined, {}, sent);
    else sent();
  };
  const timer = setInterval(() => flush(), FLUSH_EVERY_MS).unref();
  process.on('message', (/** @type {any} */ message) => {
    if (message?.type === 'totals') answers.emit(String(message.id), message.totals);
  });

  /** Over all workers. Rejects when the primary does not answer. @returns {Promise<Record<string, number>>} */
  const totals = async () => {
    const id = String(++lastId);
    const answered = once(answers, id, { signal: AbortSignal.timeout(2_000) });
    process.send?.({ type: 'totals', id, counts: take() });
    return (await answered)[0];
  };

  return {
    count,
    totals,
    /** @returns {Promise<void>} */
    async close() {
      clearInterval(timer);
      await new Promise((resolve) => flush(() => resolve(undefined)));
    },
    /** @type {import('express').RequestHandler} */
    observe(_request, response, next) {
      response.once('finish', () => {
        count('total');
        count(`${Math.floor(response.statusCode / 100)}xx`);
        if (response.statusCode === 401 || response.statusCode === 403) count(String(response.statusCode));
      });
      next();
    },
    /** @type {import('express').RequestHandler} */
    async endpoint(_request, response) {
      const all = await totals();
      const classes = ['total', '2xx', '3xx', '401', '403', '4xx', '5xx'];
      response.json({
        responses: Object.fromEntries(classes.map((name) => [name, all[name] ?? 0])),
        auth: Object.fromEntries(names.map((name) => [name, all[name] ?? 0])),
      });
    },
  };
}
