/** What the example applications share of Express: JSON in and out, and errors that say nothing they should not. */
import express from 'express';

/**
 * @param {ReturnType<typeof import('./metrics.js').createMetrics>} metrics
 * @param {{ guard?: import('express').RequestHandler }} [options] `guard` lets a request on to the counters; left out: anybody may read them.
 */
export function createApp(metrics, { guard } = {}) {
  const app = express();
  app.disable('x-powered-by');
  app.use(metrics.observe);
  app.get('/api/metrics', ...(guard ? [guard] : []), metrics.endpoint);
  app.use(express.json({ limit: '16kb' }));
  return app;
}

/** Last of all handlers. @param {import('express').Express} app @param {string} name */
export function handleErrors(app, name) {
  app.use((_request, response) => {
    response.status(404).json({ error: 'not found' });
  });
  app.use(
    /** @type {import('express').ErrorRequestHandler} */
    (error, request, response, next) => {
      if (response.headersSent) return next(error);
      const status = error.status >= 400 && error.status < 500 ? error.status : 500;
      if (status === 500) console.error(`${name}: ${request.method} ${request.path}: ${error.message}`);
      response.status(status).json({ error: status === 500 ? 'internal error' : 'bad request' });
    },
  );
}

/**
 * @param {import('express').Express} app @param {() => Promise<boolean>} databaseAnswers
 * @param {() => Promise<Record<string, unknown>>} [more] What this application says besides.
 */
export function addHealth(app, databaseAnswers, more = async () => ({})) {
  app.get('/api/health', async (_request, response) => {
    const [well, besides] = await Promise.all([databaseAnswers(), more()]);
    response.status(well ? 200 : 503).json({
      status: well ? 'ok' : 'degraded',
      database: well ? 'ok' : 'unreachable',
      version: '1.0.0',
      generation: Number(process.env.GENERATION ?? 0),
      instance: process.pid,
      ...besides,
    });
  });
}
