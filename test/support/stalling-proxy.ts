/** A way to a TCP server on which what was asked can be held up: a worker that sleeps while its connections stay open. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class StallingProxy {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly held: (() => void)[] = [];
  private stallsAt: RegExp | null = null;
  private noticed: () => void = () => undefined;

  private constructor(host: string, port: number) {
    this.server = createServer((client) => {
      const upstream = connect(port, host);
      for (const socket of [client, upstream]) {
        this.sockets.add(socket);
        socket.on('error', () => undefined);
      }
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
      upstream.on('data', (chunk) => client.write(chunk));
      let asleep = false;
      client.on('data', (chunk) => {
        if (this.stallsAt?.test(chunk.toString('latin1')) === true) {
          // This connection alone: those that are made from now on belong to somebody who is awake.
          this.stallsAt = null;
          asleep = true;
          this.held.push(() => (asleep = false));
          this.noticed();
        }
        if (asleep) this.held.push(() => void upstream.write(chunk));
        else upstream.write(chunk);
      });
    });
  }

  /** @param url `postgres://…`, without TLS. */
  static async to(url: string): Promise<{ proxy: StallingProxy; url: string }> {
    const { hostname, port } = new URL(url);
    const proxy = new StallingProxy(hostname, Number(port || '5432'));
    await new Promise<void>((done) => proxy.server.listen(0, '127.0.0.1', done));
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String((proxy.server.address() as AddressInfo).port);
    return { proxy, url: through.href };
  }

  /** The first connection that asks something like this falls asleep then. @returns once it does. */
  stallAt(what: RegExp): Promise<void> {
    this.stallsAt = what;
    return new Promise((done) => (this.noticed = done));
  }

  /** What was held up goes on its way, in order. */
  wake(): void {
    for (const go of this.held.splice(0)) go();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((done) => this.server.close(done));
  }
}
