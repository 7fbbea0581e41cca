/** A real HTTP server on a free port, for one test file. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll } from 'vitest';

export interface LocalServer {
  readonly url: string;
  close(): Promise<void>;
}

const servers = new Set<Server>();

afterAll(async () => {
  await Promise.all([...servers].map(stop));
});

export async function serve(listener: RequestListener): Promise<LocalServer> {
  const server = createServer(listener);
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => stop(server) };
}

/** Answers each request with the next status of a pattern, and with the last one for ever after. */
export function statusPattern(statuses: readonly number[]): RequestListener {
  let next = 0;
  return (_, response) => {
    response.statusCode = statuses[Math.min(next, statuses.length - 1)] ?? 500;
    next += 1;
    response.end();
  };
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

/** An address at which nobody listens. */
export async function deadUrl(): Promise<string> {
  const server = await serve(() => undefined);
  await server.close();
  return server.url;
}

async function stop(server: Server): Promise<void> {
  if (!servers.delete(server)) return;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
