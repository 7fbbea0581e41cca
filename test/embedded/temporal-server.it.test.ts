import { mkdtemp, readFile, rm } from 'node:fs/promises';
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
