/**
 * An application with eight writers, each at rows of its own, that knows what every row must say. It takes the keys that its .env
 * shows when it is deployed; one of its writers misses every deploy until it is told.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { opened, sealed } from '../../workflows/encryption/support/fernet.js';

const WRITERS = 8;
/** Writes of one writer are so far apart: 8 writers make some 300 requests a second. */
const PAUSE_MS = 20;
const ASK =
  "require('node:http').request(process.argv[1],{method:'POST'},r=>{r.resume();process.exitCode=r.statusCode===200?0:1}).end()";

export class KeyWriters {
  /** Row to what was last written to it, and acknowledged. */
  readonly written = new Map<number, string>();
  readonly failures: string[] = [];
  served = 0;
  deploys = 0;
  private keys: readonly string[] = [];
  private staleKeys: readonly string[] | null = null;
  private stopping = false;
  private running: Promise<void>[] = [];
  private readonly server: Server;

  constructor(
    private readonly envFile: string,
    private readonly url: string,
    /** Rows 1 to this are there; more are inserted. */
    private readonly rows: number,
  ) {
    this.server = createServer((_, response) => {
      this.deploy().then(
        () => response.writeHead(200, { connection: 'close' }).end(),
        () => response.writeHead(503, { connection: 'close' }).end(),
      );
    });
  }

  get argv(): string[] {
    return [process.execPath, '-e', ASK, `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`];
  }

  async start(): Promise<void> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
    await this.deploy();
    this.staleKeys = this.keys;
    this.running = Array.from({ length: WRITERS }, (_, writer) => this.write(writer));
  }

  /** The writer that had missed the deploys. */
  wakeStale(): void {
    this.staleKeys = null;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.running);
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  private async deploy(): Promise<void> {
    const text = await readFile(this.envFile, 'utf8');
    const read = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
    this.keys = [read('KEY'), read('KEY_PREVIOUS')].filter((key) => key !== '');
    this.deploys += 1;
  }

  private async write(writer: number): Promise<void> {
    const client = new pg.Client({ connectionString: this.url, application_name: `writer ${writer}` });
    await client.connect();
    for (let round = 1; !this.stopping; round += 1) {
      try {
        await this.request(client, writer, round);
        this.served += 1;
      } catch (error) {
        this.failures.push(`writer ${writer}: ${error instanceof Error ? error.message : String(error)}`);
      }
      await sleep(PAUSE_MS);
    }
    await client.end();
  }

  /** Reads what it is about to change, as applications do. The one that has missed the deploys cannot, and only writes. */
  private async request(client: pg.Client, writer: number, round: number): Promise<void> {
    const stale = writer === 0 ? this.staleKeys : null;
    const keys = stale ?? this.keys;
    const plaintext = `round ${round} of writer ${writer}`;
    const token = sealed(plaintext, keys[0] ?? '');
    if (round % 10 === 0) {
      const { rows } = await client.query<{ id: string }>('INSERT INTO credentials (value) VALUES ($1) RETURNING id', [
        token,
      ]);
      this.written.set(Number(rows[0]?.id), plaintext);
      return;
    }
    const row = 1 + writer + WRITERS * Math.floor((Math.random() * (this.rows - WRITERS)) / WRITERS);
    if (!stale) {
      const { rows } = await client.query<{ value: string }>('SELECT value FROM credentials WHERE id = $1', [row]);
      const value = rows[0]?.value ?? '';
      const said = keys.map((key) => opened(value, key)).find((one) => one !== null);
      if (said !== (this.written.get(row) ?? `credential ${row}`)) throw new Error(`row ${row} cannot be read`);
    }
    await client.query('UPDATE credentials SET value = $1 WHERE id = $2', [token, row]);
    this.written.set(row, plaintext);
  }
}
