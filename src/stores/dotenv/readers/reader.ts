/**
 * Models of the programs that read a dotenv file. Keyturn writes a value only when all of them read it back identically;
 * test/stores/readers.test.ts holds every model against the real program.
 */
export interface Reading {
  readonly value: string;
  /** False where the program would expand, execute or unescape something: then `value` is not what the application sees. */
  readonly literal: boolean;
}

export interface FileReading {
  readonly variables: ReadonlyMap<string, Reading>;
  /** The line at which the program gives up on the whole file. */
  readonly brokenAt?: number;
}

export interface EnvReader {
  readonly name: string;
  read(text: string): FileReading;
}

export const BYTE_ORDER_MARK = '\uFEFF';

export function withoutByteOrderMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

/** @param offset an index into `text`. @returns its line, from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}
