/**
 * Stands in for a service: reads its .env when it is deployed, as a program that is started anew would, and then works over one
 * connection. What it has written is counted, so that a test can tell whether it has lost anything.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';

/** What a deploy does to it: a request, from a program that is as small as a program can be. */
const DEPLOY =
  "require('node:http').request(process.argv[1],{method:'POST'},r=>{r.resume();process.exitCode=r.statusCode===200?0:1}).end()";

export class Application {
  /** Every DATABASE_URL that it was deployed with, in order. */
  readonly urls: string[] = [];
  written = 0;
  private client: pg.Client | null = null;
  private readonly server: Server;

  private constructor(private readonly envFile: string) {
    this.server = createServer((request, response) => {
      const act = request.url === '/deploy' ? this.deploy() : this.work();
      act.then(
        () => answer(response, 200, 'well'),
        (error: unknown) => answer(response, 503, error instanceof Error ? error.message : String(error)),
      );
    });
  }

  /** Deployed, and at work. */
  static async start(envFile: string): Promise<Application> {
    const application = new Application(envFile);
    await new Promise<void>((done) => application.server.listen(0, '127.0.0.1', done));
    await application.deploy();
    return application;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What an inventory says about it. */
  get deployArgv(): string[] {
    return [process.execPath, '-e', DEPLOY, `${this.url}/deploy`];
  }

  /** A new connection with what the file says now, and only then the end of the one before. */
  async deploy(): Promise<void> {
    const text = await readFile(this.envFile, 'utf8');
    const url = /^DATABASE_URL=(.*)$/m.exec(text)?.[1] ?? '';
    const client = await connected(url);
    const before = this.client;
    this.client = client;
    if (this.urls.at(-1) !== url) this.urls.push(url);
    await before?.end().catch(() => undefined);
  }

  /** One row. A connection that was ended is opened again with the same credential, as a pool does. */
  async work(): Promise<void> {
    const insert = (): Promise<unknown> | undefined =>
      this.client?.query(`INSERT INTO app.work (what) VALUES ('done')`);
    try {
      await insert();
    } catch {
      this.client = await connected(this.urls.at(-1) ?? '');
      await insert();
    }
    this.written += 1;
  }

  async stop(): Promise<void> {
    await this.client?.end().catch(() => undefined);
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'shop' });
  // Its end is found out by the next query.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { connection: 'close' }).end(text);
}
