/**
 * Stands in for one service that uses three secrets: signs tokens, reads and writes with a database credential, and keeps values
 * encrypted. Reads all three from its .env when it is deployed, and notices what must never be seen of it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { opened } from '../../encryption/support/fernet.js';

const ASK =
  "require('node:http').request(process.argv[1],{method:'POST'},r=>{r.resume();process.exitCode=r.statusCode===200?0:1}).end()";
/** Questions that it does not answer yet after a deploy, and errors that its users see from each. */
const NOT_YET = 2;

interface Settings {
  /** The first signs, all are accepted. */
  readonly signing: readonly string[];
  readonly database: string;
  readonly key: string;
}

export class Web {
  /** How it was started and stopped, in order. */
  readonly history: string[] = [];
  /** What must not happen to it. */
  readonly wrong: string[] = [];
  settings: Settings = { signing: [], database: '', key: '' };
  private running = false;
  private starting = 0;
  /** Seen by the proxy before it, so that a restart does not begin anew with none. */
  private errors = 0;
  private client: pg.Client | null = null;
  private readonly server: Server;

  constructor(
    private readonly envFile: string,
    private readonly table: string,
    private readonly truth: ReadonlyMap<number, string>,
  ) {
    this.server = createServer((request, response) => {
      this.answer(request).then(
        ([status, body]) => response.writeHead(status, { connection: 'close' }).end(JSON.stringify(body)),
        (error: unknown) => failed(response, error),
      );
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
    await this.deploy();
    this.starting = 0;
    this.errors = 0;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  argv(what: 'deploy' | 'stop'): string[] {
    return [process.execPath, '-e', ASK, `${this.url}/${what}`];
  }

  async end(): Promise<void> {
    await this.client?.end().catch(() => undefined);
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  /** With the credential that it was deployed with. @throws Error naming a row that its key does not read. */
  async readEverything(): Promise<void> {
    const rows = await this.query(`SELECT id::int, value FROM ${this.table} ORDER BY id`);
    const unreadable = rows.find(({ id, value }) => opened(value, this.settings.key) !== this.truth.get(id));
    if (unreadable ?? rows.length !== this.truth.size)
      throw new Error(`runs on a key that does not read row ${unreadable?.id ?? 'that is gone'}`);
  }

  private async answer({ url, headers }: IncomingMessage): Promise<[number, object]> {
    switch (url) {
      case '/deploy':
        await this.deploy();
        return [200, {}];
      case '/stop':
        this.running = false;
        this.errors += 1;
        this.history.push('stopped');
        return [200, {}];
      case '/errors':
        return [200, { errors: this.errors }];
      default:
        if (this.running && this.starting === 0) return await this.serve(url, headers.authorization ?? '');
        this.starting = Math.max(0, this.starting - 1);
        this.errors += 1;
        return [503, {}];
    }
  }

  private async serve(url: string | undefined, authorization: string): Promise<[number, object]> {
    const { signing } = this.settings;
    if (url === '/login') return [200, { token: tokenOf(signing[0] ?? '') }];
    if (url === '/me') return [signing.some((secret) => isSignedWith(secret, authorization.slice(7))) ? 200 : 401, {}];
    try {
      await this.readEverything();
      return [200, {}];
    } catch (error) {
      this.wrong.push(String(error));
      throw error;
    }
  }

  /** As a program that is started anew: nobody is served for a moment, and those who ask meanwhile see errors. */
  private async deploy(): Promise<void> {
    const text = await readFile(this.envFile, 'utf8');
    const read = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
    const { key } = this.settings;
    const stoodStill = this.history.at(-1) === 'stopped';
    this.settings = { signing: read('SESSION_SECRET').split(','), database: read('DATABASE_URL'), key: read('KEY') };
    if (stoodStill && this.settings.key === key) this.wrong.push('started on the old key while it was to stand still');
    this.starting = NOT_YET;
    this.errors += 1;
    const before = this.client;
    this.client = await connected(this.settings.database);
    await before?.end().catch(() => undefined);
    this.running = true;
    this.history.push('deployed');
  }

  /** A connection that was ended is opened again with the same credential, as a pool does. */
  private async query(sql: string): Promise<Row[]> {
    try {
      return (await this.client?.query<Row>(sql))?.rows ?? [];
    } catch {
      this.client = await connected(this.settings.database);
      return (await this.client.query<Row>(sql)).rows;
    }
  }
}

interface Row {
  readonly id: number;
  readonly value: string;
}

async function connected(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, application_name: 'web' });
  // Its end is found out by the next query.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function tokenOf(secret: string): string {
  const part = (content: object): string => Buffer.from(JSON.stringify(content)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: 'a user' })}`;
  return `${signed}.${signatureOf(signed, secret)}`;
}

function isSignedWith(secret: string, token: string): boolean {
  const [signed, signature] = [token.slice(0, token.lastIndexOf('.')), token.slice(token.lastIndexOf('.') + 1)];
  const expected = signatureOf(signed, secret);
  return signature.length === expected.length && timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
}

function signatureOf(signed: string, secret: string): string {
  return createHmac('sha256', secret).update(signed).digest('base64url');
}

function failed(response: ServerResponse, error: unknown): void {
  response.writeHead(503, { connection: 'close' }).end(String(error));
}
