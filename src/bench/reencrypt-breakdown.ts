/** Where the time of a sweep goes: on this side by what it is for, on the server's by connection. */
import { readFile } from 'node:fs/promises';
import type { Reencryptor } from '../ciphers/cipher.js';
import { openReencryptor } from '../ciphers/open-cipher.js';
import { Server, type Where, type Work } from '../databases/server.js';
import { SecretValue } from '../domain/secret-value.js';
import { sweep } from '../reencryption/sweep.js';
import { FORMATS, type CipherName, type World } from './reencrypt-world.js';

/** Microseconds a row. The last four are processor time; they overlap, which is why they come to more than `elapsed`. */
export interface Breakdown {
  readonly elapsed: number;
  /** Checking, decrypting, encrypting, signing. */
  readonly cipher: number;
  /** This process, all else: the driver, arrays, garbage. */
  readonly otherHere: number;
  /** The server's process that reads pages; null where the kernel does not tell. */
  readonly serverReading: number | null;
  /** The one that writes them. */
  readonly serverWriting: number | null;
}

class WatchedServer extends Server {
  readonly seconds: (number | null)[] = [];

  override asAdministrator<T>(work: Work<T>, where?: Where): Promise<T> {
    return super.asAdministrator(async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const place = this.seconds.push(null) - 1;
      const result = await work(client);
      this.seconds[place] = await processorSeconds(rows[0]?.pid ?? 0);
      return result;
    }, where);
  }
}

export async function breakDown(world: World, cipher: CipherName): Promise<Breakdown> {
  await world.freshTable();
  const facts = await world.facts(cipher);
  const { signal } = new AbortController();
  const administrator = new SecretValue(world.url);
  const server = new WatchedServer({ administrator, label: 'benchmark', database: null, replicas: [], signal });
  const cipherItself = openReencryptor(FORMATS[cipher], world.keys);
  let inCipher = 0;
  const reencryptor: Reencryptor = {
    reencrypt(page) {
      const started = performance.now();
      const result = cipherItself.reencrypt(page);
      inCipher += performance.now() - started;
      return result;
    },
  };
  const cpu = process.cpuUsage();
  const started = performance.now();
  const { counts } = await sweep({ server, facts, reencryptor });
  const elapsed = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  const perRow = (microseconds: number): number => microseconds / counts.read;
  const [reading = null, writing = null] = server.seconds;
  return {
    elapsed: perRow(elapsed * 1_000),
    cipher: perRow(inCipher * 1_000),
    otherHere: perRow(user + system - inCipher * 1_000),
    serverReading: reading === null ? null : perRow(reading * 1e6),
    serverWriting: writing === null ? null : perRow(writing * 1e6),
  };
}

/** User and system time of a process that is about to end. Linux: in hundredths of a second. */
async function processorSeconds(pid: number): Promise<number | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The second field, the command, may have blanks in it.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields ? (Number(fields[11]) + Number(fields[12])) / 100 : null;
}
