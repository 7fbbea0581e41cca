/** One output stream of a program, of which the end is kept: a flood must not fill this process's memory. */
import type { Readable } from 'node:stream';

const KEPT = 262_144;

export class BoundedOutput {
  readonly ended: Promise<void>;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #cut = false;

  constructor(private readonly stream: Readable) {
    stream.on('data', (chunk: Buffer) => this.#keep(chunk));
    this.ended = new Promise((resolve) => {
      stream.once('end', resolve);
      stream.once('error', () => resolve());
    });
  }

  /** Begins with a whole line: the second half of a value that was cut would not be recognised. */
  text(): string {
    const text = Buffer.concat(this.#chunks).toString('utf8');
    if (!this.#cut) return text;
    const lineEnd = text.indexOf('\n');
    return lineEnd < 0 ? '' : text.slice(lineEnd + 1);
  }

  /** Without keeping anything, and without holding up this process. */
  readOn(): void {
    this.#chunks.length = 0;
    this.stream.removeAllListeners('data').resume();
    (this.stream as Partial<{ unref(): void }>).unref?.();
  }

  close(): void {
    this.stream.destroy();
  }

  #keep(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#chunks[0] && this.#size - this.#chunks[0].length >= KEPT) {
      this.#size -= this.#chunks[0].length;
      this.#chunks.shift();
      this.#cut = true;
    }
  }
}
