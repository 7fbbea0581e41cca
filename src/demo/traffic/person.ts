/** A person who uses a system: signs in, reads, sometimes writes, and signs in again when the system has forgotten them. */
import type { SecretValue } from '../../domain/secret-value.js';
import type { Connection, Outgoing, Reply } from './connection.js';
import type { Outcome, Tally } from './tally.js';

export interface Account {
  readonly username: string;
  /** All who use the system, this one too. */
  readonly everybody: readonly string[];
  readonly password: SecretValue;
}

/** How a person proves who they are after the login: a cookie jar or a pair of tokens, one for each person. */
export interface Credentials {
  headers(): Record<string, string>;
  keep(reply: Reply): void;
  /** What to try before the password when a request was refused; null if there is nothing. */
  renewal(): Outgoing | null;
  /** Time for a renewal before anything is refused. */
  expireSoon(): boolean;
  forget(): void;
}

export interface Pages {
  readonly reads: readonly string[];
  readonly write: string;
  /** What is written, from whom, and who else is there. */
  readonly body: (username: string, turn: number, everybody: readonly string[]) => unknown;
}

const WRITE_EVERY = 5;
/** Now and then a client renews its tokens, long before they expire. */
const RENEW_EVERY = 12;

export class Person {
  #turn = 0;
  #everSignedIn = false;
  #signedIn = false;

  constructor(
    private readonly account: Account,
    private readonly pages: Pages,
    private readonly credentials: Credentials,
    private readonly connection: Connection,
    private readonly tally: Tally,
  ) {}

  async signIn(): Promise<boolean> {
    const { username, password } = this.account;
    this.credentials.forget();
    const login = { method: 'POST', path: '/api/auth/login', json: { username, password: password.reveal() } } as const;
    this.#signedIn = (await this.#send(login)) === 'served';
    if (this.#signedIn && this.#everSignedIn) this.tally.signedInAgain();
    this.#everSignedIn ||= this.#signedIn;
    return this.#signedIn;
  }

  /** One thing done, with whatever it takes to be signed in again if it is refused. */
  async act(): Promise<void> {
    if (!this.#signedIn && !(await this.signIn())) return;
    const outcome = await this.#send(this.#next());
    if (outcome !== 'refused') return;
    const renewal = this.credentials.renewal();
    if (renewal !== null && (await this.#send(renewal)) === 'served') return;
    await this.signIn();
  }

  #next(): Outgoing {
    this.#turn += 1;
    const due = this.#turn % RENEW_EVERY === 0 || this.credentials.expireSoon();
    const renewal = due ? this.credentials.renewal() : null;
    if (renewal !== null) return renewal;
    if (this.#turn % WRITE_EVERY === 0) {
      const { username, everybody } = this.account;
      return { method: 'POST', path: this.pages.write, json: this.pages.body(username, this.#turn, everybody) };
    }
    return { path: this.pages.reads[this.#turn % this.pages.reads.length] ?? '/' };
  }

  async #send(outgoing: Outgoing): Promise<Outcome> {
    const what = `${outgoing.method ?? 'GET'} ${outgoing.path}`;
    const startedAt = performance.now();
    try {
      const reply = await this.connection.send({ ...outgoing, headers: this.credentials.headers() });
      this.credentials.keep(reply);
      const write = outgoing.path === this.pages.write && outgoing.method === 'POST';
      return this.tally.answered(what, { status: reply.status, write, ms: performance.now() - startedAt });
    } catch (error) {
      return this.tally.unanswered(what, error, performance.now() - startedAt);
    }
  }
}
