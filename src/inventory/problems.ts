/** What is wrong with an inventory: every problem at its place, with a hint, all of them at once. */
import { KeyturnError } from '../domain/errors.js';

/** From the root of a file to a value. */
export type Path = readonly (string | number)[];

export interface Problem {
  /** As a person in this directory would type it. */
  readonly file: string;
  /** Counted from 1; 0 when the problem is the file itself. */
  readonly line: number;
  readonly column: number;
  /** `secrets.SESSION_SECRET.store`; empty for the file itself. Environments go by name, not by number. */
  readonly path: string;
  readonly message: string;
  readonly hint: string | null;
}

/** Thrown by the loader only; code `bad-inventory`. Its message is one line a problem, in the order of the files. */
export class InventoryError extends KeyturnError {
  constructor(readonly problems: readonly Problem[]) {
    const lines = problems.map(formatProblem);
    const [only] = lines;
    const title = `the inventory has ${problems.length} problems`;
    super('bad-inventory', lines.length === 1 && only ? only : [title, ...lines].join('\n'));
  }
}

/** `systems/arena.yaml:14: secrets.X.store: unknown store "vualt" (did you mean "vault"?)` */
export function formatProblem(problem: Problem): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}` : problem.file;
  const subject = problem.path ? `${problem.path}: ` : '';
  return `${place}: ${subject}${problem.message}${problem.hint ? ` (${problem.hint})` : ''}`;
}

/** By file, then by line; the same problem is told once. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const once = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  return [...once.values()].sort(
    (a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column || compare(a.message, b.message),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
