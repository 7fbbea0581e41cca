import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { TemporalServer } from '../../src/embedded/temporal-server.js';
import { startTemporalServer } from '../../src/embedded/temporal-server.js';
import { lives } from '../support/parent-program.js';
import { SEARCH_ATTRIBUTES } from '../../src/domain/status.js';

let place: string;
const started: TemporalServer[] = [];
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'keyturn-temporal-test-'));
});
afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** The UI listens on one of these, where browsers do not go. */
const BLOCKED = [
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/** TCP ports on which a process listens. */
async function listening(pid: number): Promise<number[]> {
  const sockets = new Set<string>();
  for (const fd of await readdir(`/proc/${String(pid)}/fd`)) {
    const target = await readlink(`/proc/${String(pid)}/fd/${fd}`).catch(() => '');
    if (target.startsWith('socket:[')) sockets.add(target.slice(8, -1));
  }
  const rows = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((row) => row.trim().split(/\s+/));
  return rows.flatMap((row) =>
    row[3] === '0A' && sockets.has(row[9] ?? '') ? [Number.parseInt(row[1]?.split(':')[1] ?? '', 16)] : [],
  );
}

/** @returns the status; 0 for what speaks no HTTP/1. */
async function post(port: number, path: string, headers: Record<string, string>, body: string): Promise<number> {
  return await new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path, method: 'POST', headers, timeout: 3_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asked.on('error', () => {
      resolve(0);
    });
    asked.on('timeout', () => asked.destroy());
    asked.end(body);
  });
}

describe('an embedded Temporal server', () => {
  it('runs beside another, headless, and is gone after stop', async () => {
    const [one, two] = await Promise.all([start(), start()]);
    expect(one.address).not.toBe(two.address);
    expect(one.uiUrl).toBeNull();
    for (const server of [one, two]) await connected(server, (client) => client.workflowService.getSystemInfo({}));
    await one.stop();
    await one.stop();
    expect(await lives(one.pid)).toBe(false);
  });

  it('serves the UI where it says', async () => {
    const server = await start({ ui: true });
    expect(server.uiUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await fetch(server.uiUrl ?? '')).status).toBe(200);
  });

  it('is signalled by no web page: neither by its HTTP API nor by its UI, under any name', async () => {
    const server = await start({ ui: true });
    await connected(server, (client) => client.workflow.start('waits', { taskQueue: 'nobody', workflowId: 'asked' }));
    const input = { payloads: [{ metadata: { encoding: btoa('json/plain') }, data: btoa('{"by":"ben"}') }] };
    const body = JSON.stringify({ signalName: 'approve', workflowExecution: { workflowId: 'asked' }, input });
    const path = '/api/v1/namespaces/default/workflows/asked/signal/approve';
    const uiPort = Number(new URL(server.uiUrl ?? '').port);
    const ports = await listening(server.pid);
    expect(ports.length).toBeGreaterThan(2);
    const own = `127.0.0.1:${String(uiPort)}`;
    const csrf = { cookie: '_csrf=x', 'x-csrf-token': 'x' };
    let refused = 0;
    for (const port of [uiPort, ...ports.filter((port) => !BLOCKED.includes(port))]) {
      for (const headers of [
        { origin: 'http://evil.test' },
        { host: `evil.test:${String(port)}`, origin: `http://evil.test:${String(port)}`, ...csrf },
        { host: `evil.test:${String(port)}`, ...csrf },
        { host: own, origin: 'null', ...csrf },
        { host: own, 'sec-fetch-site': 'cross-site', ...csrf },
        { host: own, 'sec-fetch-site': 'same-site', ...csrf },
      ]) {
        const status = await post(port, path, { 'content-type': 'text/plain', ...headers }, body);
        if (status === 403) refused += 1;
        expect(status).not.toBe(200);
      }
    }
    expect(refused).toBeGreaterThanOrEqual(11);
    // The UI's own page sends the same, and is heard.
    expect(
      await post(uiPort, path, { host: own, origin: `http://${own}`, 'sec-fetch-site': 'same-origin', ...csrf }, body),
    ).toBe(200);
    const { events } = await connected(server, (client) => client.workflow.getHandle('asked').fetchHistory());
    expect(events?.filter((event) => event.workflowExecutionSignaledEventAttributes)).toHaveLength(1);
  });

  it('knows the search attributes before a worker comes', async () => {
    const server = await start();
    const answer = await connected(server, (client) =>
      client.connection.operatorService.listSearchAttributes({ namespace: server.namespace }),
    );
    expect(Object.keys(answer.customAttributes)).toEqual(expect.arrayContaining(Object.values(SEARCH_ATTRIBUTES)));
  });

  it('with a file keeps its runs over a restart and over a crash, at the same address', async () => {
    const server = await start({ dbFile: join(place, 'temporal.db') });
    const { address, pid } = server;
    await connected(server, (client) => client.workflow.start('waits', { taskQueue: 'nobody', workflowId: 'kept' }));
    for (const kill of [false, true]) {
      await server.restart({ kill });
      expect(server.address).toBe(address);
      expect(server.pid).not.toBe(pid);
      const run = await connected(server, (client) => client.workflow.getHandle('kept').describe());
      expect(run.status.name).toBe('RUNNING');
    }
  });

  it('is not misled by the settings of a client', async () => {
    process.env.TEMPORAL_ADDRESS = 'elsewhere.invalid:7233';
    process.env.TEMPORAL_TLS = 'true';
    try {
      const server = await start();
      await connected(server, (client) => client.workflowService.getSystemInfo({}));
    } finally {
      delete process.env.TEMPORAL_ADDRESS;
      delete process.env.TEMPORAL_TLS;
    }
  });

  it('that cannot start says why, with the end of its log', async () => {
    const error: unknown = await start({ cli: '/bin/false' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'temporal-not-started',
      message: expect.stringContaining('ended at once') as string,
    });
    const logFile = join(place, 'taken.log');
    const port = Number(inject('temporalAddress').split(':')[1]);
    await expect(start({ port, logFile })).rejects.toMatchObject({ code: 'temporal-not-started' });
    expect(await readFile(logFile, 'utf8')).not.toBe('');
  });
});

async function start(options: Parameters<typeof startTemporalServer>[0] = {}): Promise<TemporalServer> {
  const server = await startTemporalServer({ cli: inject('temporalCli'), ...options });
  started.push(server);
  return server;
}

async function connected<T>(server: TemporalServer, ask: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: server.address });
  try {
    return await ask(new Client({ connection }));
  } finally {
    await connection.close();
  }
}
