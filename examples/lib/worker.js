/** One instance. It listens once its application is ready, and leaves without dropping a request. */
import { createServer } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { wholeNumber } from './environment.js';
import { DRAIN_LIMIT_MS } from './worker-process.js';

/**
 * Clients are told that an idle connection lives two seconds; it really lives half a second longer. So a client that
 * keeps to what it was told never writes into a connection that is being closed.
 */
const KEEP_ALIVE_SECONDS = 2;
const IDLE_LIMIT_MS = KEEP_ALIVE_SECONDS * 1_000 + 500;

/** @param {{ name: string, port: number, create: (env: NodeJS.ProcessEnv) => Promise<import('./serve.js').Application> }} options */
export async function runWorker({ name, port, create }) {
  // A terminal's Ctrl-C reaches the whole group; the primary decides how workers end.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  try {
    const application = await create(process.env);
    const server = createServer({ keepAliveTimeout: IDLE_LIMIT_MS }, application.handler);
    const leave = trackConnections(server, application);
    let leaving = false;
    /** @param {boolean} hurry */
    const begin = (hurry) => {
      if (leaving) return;
      leaving = true;
      void leave(hurry);
    };
    process.on('message', (/** @type {{ type?: string, hurry?: boolean }} */ message) => {
      if (message.type === 'drain') begin(message.hurry === true);
    });
    process.on('SIGTERM', () => begin(true));
    server.on('error', fail);
    server.listen(wholeNumber(process.env, 'PORT', port), process.env.HOST ?? '127.0.0.1');
  } catch (error) {
    fail(error);
  }

  /** @param {unknown} error Only the message is shown: a driver's error object can carry a connection string. */
  function fail(error) {
    console.error(`${name}: cannot start: ${error instanceof Error ? error.message || error.name : 'unknown error'}`);
    process.exit(1);
  }
}

/** @param {import('node:http').Server} server @param {import('./serve.js').Application} application */
function trackConnections(server, application) {
  /** @type {Map<import('node:net').Socket, { requests: number, since: number, read: number }>} */
  const connections = new Map();
  /** @type {Set<import('node:http').ServerResponse>} */
  const responses = new Set();
  let leaving = false;

  server.on('connection', (socket) => {
    connections.set(socket, { requests: 0, since: performance.now(), read: 0 });
    socket.once('close', () => connections.delete(socket));
  });
  server.prependListener('request', (request, response) => {
    const connection = connections.get(request.socket);
    if (connection) connection.requests += 1;
    responses.add(response);
    if (leaving) response.setHeader('Connection', 'close');
    else if (response.shouldKeepAlive) {
      response.setHeader('Connection', 'keep-alive');
      response.setHeader('Keep-Alive', `timeout=${KEEP_ALIVE_SECONDS}`);
    }
    response.once('close', () => {
      responses.delete(response);
      if (!connection) return;
      connection.requests -= 1;
      connection.since = performance.now();
      connection.read = request.socket.bytesRead;
    });
  });

  /** @param {boolean} hurry */
  return async function leave(hurry) {
    leaving = true;
    for (const response of responses) {
      if (!response.headersSent) {
        response.removeHeader('Keep-Alive');
        response.setHeader('Connection', 'close');
      }
    }
    // Stops accepting only. HTTP's own close() would also cut idle connections, on which a client may be writing just now.
    if (server.listening) NetServer.prototype.close.call(server);
    await primaryKnows();
    const deadline = performance.now() + DRAIN_LIMIT_MS;
    while (connections.size > 0 && performance.now() < deadline) {
      const now = performance.now();
      for (const [socket, connection] of connections) {
        // Half a request has arrived: its other half is on the way.
        if (socket.bytesRead > connection.read) Object.assign(connection, { read: socket.bytesRead, since: now });
        if (connection.requests === 0 && (hurry || now - connection.since > IDLE_LIMIT_MS)) socket.destroy();
      }
      await sleep(20);
    }
    for (const socket of connections.keys()) socket.destroy();
    await application.close().catch(() => undefined);
    process.exit(0);
  };
}

/**
 * A connection may be on its way from the primary while this worker stops listening. Messages keep their order: once the
 * primary has answered, it knows that this worker takes no more, and whatever it sent before has arrived.
 */
async function primaryKnows() {
  await new Promise((resolve) => {
    if (!process.connected) return resolve(undefined);
    process.on('message', (/** @type {{ type?: string }} */ message) => {
      if (message.type === 'heard') resolve(undefined);
    });
    process.once('disconnect', resolve);
    process.send?.({ type: 'leaving' });
  });
}
