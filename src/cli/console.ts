/**
 * Where a verb prints. People's output goes to standard output; with `--json` standard output belongs to the one
 * document, and everything for people goes to standard error. Every line passes `redact`.
 */
import type { Formatter } from 'picocolors/types.js';
import pc from 'picocolors';
import { asTyped } from '../domain/as-typed.js';
import { redact } from '../domain/secret-value.js';
import { invocation } from './invocation.js';

export type Paint = Record<'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', Formatter>;

export interface ConsoleOptions {
  readonly json: boolean;
  /** False after `--no-color`. */
  readonly colour: boolean;
  readonly env: NodeJS.ProcessEnv;
}

export class Console {
  readonly json: boolean;
  readonly paint: Paint;
  /** Whether lines may be rewritten in place: never into a file or a pipe, nor under CI. */
  readonly live: boolean;
  readonly #stream: NodeJS.WriteStream;
  /** What a spinner has on the screen now, without a line end. */
  #transient = false;

  constructor(options: ConsoleOptions) {
    this.json = options.json;
    this.#stream = options.json ? process.stderr : process.stdout;
    this.live = this.#stream.isTTY && !options.env['CI'] && options.env['TERM'] !== 'dumb';
    const wanted = options.colour && !options.env['NO_COLOR'] && options.env['TERM'] !== 'dumb';
    this.paint = pc.createColors(wanted && this.#stream.isTTY);
  }

  /** For people. */
  say(text = ''): void {
    this.#clear();
    this.#stream.write(`${shown(text)}\n`);
  }

  /** For people, always beside the output: hints and asides that a pipe must not see. */
  note(text: string): void {
    this.#clear();
    process.stderr.write(`${shown(text)}\n`);
  }

  /** The one document of `--json`. Prints nothing otherwise. */
  document(value: unknown): void {
    if (this.json) process.stdout.write(`${redact(JSON.stringify(value, null, 2))}\n`);
  }

  /** Output that is the same with and without `--json`: CSV, a JSON Schema. */
  raw(text: string): void {
    process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** A line that the next one replaces. Only on a terminal. */
  transient(text: string): void {
    if (!this.live) return;
    const width = this.#stream.columns || 80;
    this.#clear();
    this.#stream.write(shown(text).slice(0, width - 1));
    this.#transient = true;
  }

  #clear(): void {
    if (!this.#transient) return;
    this.#stream.write('\r\u001b[2K');
    this.#transient = false;
  }

  /** Takes a transient line off the screen. */
  settle(): void {
    this.#clear();
  }
}

/** What a terminal obeys, but for colours and line ends: notes and names are typed by people, log lines by programs. */

const OBEYED = /\u001b(?!\[\d{1,2}m)|[\u0000-\u0009\u000b-\u001a\u001c-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** As it goes to a person: harmless, and with commands that can be typed as they stand. */
export function shown(text: string): string {
  return asTyped(harmless(text), invocation());
}

/** Safe to show: without secret values, and without what moves the cursor or turns text around. */
export function harmless(text: string): string {
  return redact(text).replace(OBEYED, ' ');
}
