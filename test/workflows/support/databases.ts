/**
 * A PostgreSQL server for the file, with a database for each run of the moment. Every step of a swap looks through all databases of
 * the server, so one that is dropped meanwhile, by another test, would be a disturbance that nobody meant.
 */
import { startPostgres, type Postgres } from '../../../src/embedded/postgres.js';

export interface LentDatabase {
  readonly name: string;
  /** Administrator URL of this database. */
  readonly url: string;
}

export class Databases {
  private readonly free: LentDatabase[] = [];
  private made = 0;

  private constructor(private readonly server: Postgres) {}

  static async start(): Promise<Databases> {
    // A log that can be read, so that rejected log-ins are counted.
    const settings = { logging_collector: 'on', log_destination: 'jsonlog', max_connections: '200' };
    return new Databases(await startPostgres({ settings }));
  }

  /** Empty, and nobody else's until it is taken back. */
  async lend(): Promise<LentDatabase> {
    const free = this.free.pop();
    if (free) return free;
    this.made += 1;
    const name = `place_${this.made}`;
    return { name, url: await this.server.createDatabase(name) };
  }

  takeBack(database: LentDatabase): void {
    this.free.push(database);
  }

  async stop(): Promise<void> {
    await this.server.stop();
  }
}
