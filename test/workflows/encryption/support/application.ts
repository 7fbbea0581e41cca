/**
 * Stands in for a service that keeps values encrypted (as document 004's arena does): reads its keys from its .env when it is
 * deployed, writes under the first, reads under all of them, and knows what every row must say. While it is stopped it does neither.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { id, run } from '../../../databases/roles/support/world.js';
import { opened, sealed } from './fernet.js';

const ASK =
  "require('node:http').request(process.argv[1],{method:'POST'},r=>{r.resume();process.exitCode=r.statusCode===200?0:1}).end()";

export class Application {
  /** What each row must say, by its id. */
  readonly truth = new Map<number, string>();
  running = false;
  keys: readonly string[] = [];
  /** How it was started and stopped, in order. */
  readonly history: string[] = [];
  private readonly server: Server;

  constructor(
    private readonly envFile: string,
    private readonly database: string,
    private readonly table: string,
  ) {
    this.server = createServer((request, response) => {
      const act =
        request.url === '/deploy'
          ? this.deploy()
          : request.url === '/stop'
            ? this.halt()
            : request.url === '/enable'
              ? this.enable()
              : this.readEverything();
      act.then(
        () => answer(response, 200, 'well'),
        (error: unknown) => answer(response, 503, error instanceof Error ? error.message : String(error)),
      );
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
    await this.deploy();
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  argv(what: 'deploy' | 'stop'): string[] {
    return [process.execPath, '-e', ASK, `${this.url}/${what}`];
  }

  async deploy(): Promise<void> {
    const text = await readFile(this.envFile, 'utf8');
    const read = (name: string): string[] => (new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '').split(',');
    this.keys = [...read('ENCRYPTION_KEY'), ...read('ENCRYPTION_KEY_PREVIOUS')].filter((key) => key !== '');
    this.running = true;
    this.history.push('deployed');
  }

  /** Writes a row as it would now. @param key another one, for a writer that has missed a deploy. */
  async write(plaintext: string, key = this.keys[0]): Promise<number> {
    if (!this.running || key === undefined) throw new Error('the application does not run');
    const [row] = await run(
      this.database,
      `INSERT INTO ${id(this.table)} (value) VALUES ('${sealed(plaintext, key)}') RETURNING id`,
    );
    this.truth.set(Number(row?.['id']), plaintext);
    return Number(row?.['id']);
  }

  /** Its own decryption check. @throws Error naming a row that it cannot read, or that says something else. */
  async readEverything(): Promise<void> {
    if (!this.running) throw new Error('the application does not run');
    for (const row of await run(this.database, `SELECT id::int, value FROM ${id(this.table)} ORDER BY id`)) {
      const value = row['value'] as string | null;
      if (value === null || value === '') continue;
      const said = this.keys.map((key) => opened(value, key)).find((plain) => plain !== null);
      const expected = this.truth.get(row['id'] as number);
      if (expected !== undefined && said !== expected) throw new Error(`row ${row['id'] as number} cannot be read`);
    }
  }

  async end(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  private enable(): Promise<void> {
    this.history.push('enabled');
    return Promise.resolve();
  }

  private halt(): Promise<void> {
    this.running = false;
    this.history.push('stopped');
    return Promise.resolve();
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { connection: 'close' }).end(text);
}
