/** A process of its own that sweeps the benchmark's table and says how much memory it came to. Task on standard input. */
import { text } from 'node:stream/consumers';
import { openReencryptor } from '../ciphers/open-cipher.js';
import { sweep } from '../reencryption/sweep.js';
import { factsOf, FORMATS, serverAt, type CipherName } from './reencrypt-world.js';

interface Task {
  readonly url: string;
  readonly cipher: CipherName;
  readonly from: string;
  readonly to: string;
}

const { url, cipher, from, to } = JSON.parse(await text(process.stdin)) as Task;
const server = serverAt(url);
const facts = await factsOf(server, cipher);
const keys = { from: Buffer.from(from, 'hex'), to: Buffer.from(to, 'hex') };
const { counts } = await sweep({ server, facts, reencryptor: openReencryptor(FORMATS[cipher], keys) });
// In kilobytes, as the kernel counts it.
const peakMb = process.resourceUsage().maxRSS / 1_024;
process.stdout.write(JSON.stringify({ rows: counts.reencrypted, peakMb }));
