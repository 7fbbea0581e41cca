/**
 * What stands between browsers and the UI of the dev server, which answers whoever gives it any Host: a page of a foreign site whose
 * name is made to lead to 127.0.0.1 could read its token and approve. Here only this machine's own names are answered, and a
 * request that says which site it comes from must come from the UI itself. The UI listens where no browser goes: on one of the ports
 * that all of them refuse.
 */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import getPort from 'get-port';
import { KeyturnError } from '../domain/errors.js';

const HOST = '127.0.0.1';

/** https://fetch.spec.whatwg.org/#port-blocking, without those that need a privilege. */
const NO_BROWSER_GOES_THERE = [
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

export interface UiGuard {
  close(): Promise<void>;
}

/** One that is free now; any, if all of those are taken. */
export async function portWithoutBrowsers(): Promise<number> {
  return getPort({ host: HOST, port: NO_BROWSER_GOES_THERE, reserve: true });
}

/** @throws KeyturnError `temporal-not-started` when the port is taken. */
export async function guardUi(port: number, uiPort: number): Promise<UiGuard> {
  const names = [HOST, 'localhost', '[::1]'].map((name) => `${name}:${String(port)}`);
  const server = createServer((asked, answer) => {
    const foreign = foreignPart(asked, names);
    if (foreign === null) passOn(asked, answer, uiPort);
    else refuse(answer, 403, `refused: ${foreign} is not this UI's own; open it at http://${HOST}:${String(port)}`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `the UI's port ${String(port)} cannot be listened on`;
      reject(new KeyturnError('temporal-not-started', message, { hint: 'is it taken?', retryable: true, cause }));
    });
    server.listen(port, HOST, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** A page that is opened by a link from elsewhere has another site, and no Origin: it changes nothing. */
function foreignPart({ headers, method }: IncomingMessage, names: readonly string[]): string | null {
  if (!names.includes(headers.host ?? '')) return 'that Host';
  const { origin } = headers;
  if (origin !== undefined && !names.some((name) => origin === `http://${name}`)) return 'that Origin';
  const site = headers['sec-fetch-site'];
  const reads = method === 'GET' || method === 'HEAD';
  if (!reads && site !== undefined && site !== 'same-origin') return 'the page that sends this';
  return null;
}

function passOn(asked: IncomingMessage, answer: ServerResponse, port: number): void {
  const { method, headers, url: path } = asked;
  const onward = request({ host: HOST, port, method, path, headers }, (answered) => {
    answer.writeHead(answered.statusCode ?? 502, answered.headers);
    answered.pipe(answer);
  });
  onward.on('error', () => {
    if (answer.headersSent) answer.destroy();
    else refuse(answer, 502, 'the UI does not answer; is it starting?');
  });
  answer.on('close', () => onward.destroy());
  asked.pipe(onward);
}

function refuse(answer: ServerResponse, status: number, why: string): void {
  answer.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
  answer.end(`${why}\n`);
}
