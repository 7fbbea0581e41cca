/**
 * A PostgreSQL server for the file, with a database for each run of the moment. Every step of a swap looks through all databases of
 * the server, so one that is dropped meanwhile, by another test, would be a disturbance that nobody meant.
 */
import { embeddedLedger } from '../../../src/cli/embedded-places.js';
import { startPostgres, type Postgres } from '../../../src/embedded/postgres.js';
import { makeHostile, type HostileDatabase } from '../../support/hostile-database.js';

export interface LentDatabase {
  readonly name: string;
  /** Administrator URL of this database. */
  readonly url: string;
}

export class Databases {
  private readonly free: LentDatabase[] = [];
  private readonly hostile: HostileDatabase[] = [];
  private made = 0;

  private constructor(
    private readonly server: Postgres,
    private readonly adopt: boolean,
  ) {}

  /** @param adopt what a test makes in a lent one is the application's, who is hostile. */
  static async start(adopt: boolean): Promise<Databases> {
    // A log that can be read, so that rejected log-ins are counted.
    const settings = { logging_collector: 'on', log_destination: 'jsonlog', max_connections: '200' };
    return new Databases(await startPostgres({ settings }), adopt);
  }

  /** Keyturn's own, as `keyturn up` makes it: the worker's address. */
  async ledger(): Promise<string> {
    return await embeddedLedger(this.server);
  }

  /** Without tables that a test would see, and nobody else's until it is taken back. */
  async lend(): Promise<LentDatabase> {
    const free = this.free.pop();
    if (free) return free;
    this.made += 1;
    const name = `place_${this.made}`;
    const url = await this.server.createDatabase(name);
    this.hostile.push(await makeHostile(url, `of_${name}`, { adopt: this.adopt }));
    return { name, url };
  }

  takeBack(database: LentDatabase): void {
    this.free.push(database);
  }

  /** @throws Error when an application got more than it had. */
  async stop(): Promise<void> {
    for (const database of this.hostile) await database.release();
    await this.server.stop();
  }
}
