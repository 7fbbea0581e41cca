/** One system's connections: kept alive between requests as a browser keeps them, never more than there are users. */
import { Agent, request } from 'node:http';

/** An answer that takes longer is a failed request for whoever waits for it. */
const TIMEOUT_MS = 10_000;
/** The applications' answers have a few hundred bytes; twenty items a few kilobytes. */
const LARGEST_BODY = 1_048_576;

export interface Reply {
  readonly status: number;
  readonly setCookies: readonly string[];
  /** undefined if it is not JSON. */
  readonly json: unknown;
}

export interface Outgoing {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
}

export class Connection {
  readonly #agent: Agent;

  constructor(
    readonly url: string,
    users: number,
  ) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: users, maxFreeSockets: users, timeout: TIMEOUT_MS });
  }

  /** Rejects when there is no answer: refused, reset, timed out. Nothing is tried twice: each such request counts. */
  send({ method = 'GET', path, headers = {}, json }: Outgoing): Promise<Reply> {
    const body = json === undefined ? undefined : JSON.stringify(json);
    const typed =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(path, this.url),
        { method, agent: this.#agent, headers: { ...headers, ...typed }, signal: AbortSignal.timeout(TIMEOUT_MS) },
        (incoming) => {
          let text = '';
          incoming.setEncoding('utf8');
          incoming.on('data', (chunk: string) => {
            text += chunk;
            if (text.length > LARGEST_BODY) outgoing.destroy(new Error('the answer is too large'));
          });
          incoming.on('error', reject);
          incoming.on('end', () => {
            resolve({
              status: incoming.statusCode ?? 0,
              setCookies: incoming.headers['set-cookie'] ?? [],
              json: parse(text),
            });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
