/** Collects what is wrong in each environment and tells it once, with the environments where that is not all of them. */
import type { Path } from '../problems.js';

export interface Finding {
  readonly path: Path;
  readonly message: string;
  readonly hint: string | null;
}

export type Report = (path: Path, message: string, hint?: string) => void;

export class Findings {
  readonly #found = new Map<string, Finding & { readonly environments: Set<string> }>();
  readonly #all: Finding[] = [];

  constructor(private readonly environments: readonly string[]) {}

  /** For what does not depend on an environment. */
  readonly report: Report = (path, message, hint) => {
    this.#all.push({ path, message, hint: hint ?? null });
  };

  in(environment: string): Report {
    return (path, message, hint) => {
      const key = JSON.stringify([path, message]);
      const before = this.#found.get(key) ?? { path, message, hint: hint ?? null, environments: new Set<string>() };
      before.environments.add(environment);
      this.#found.set(key, before);
    };
  }

  list(): Finding[] {
    const merged = [...this.#found.values()].map(({ path, message, hint, environments }) => {
      const everywhere = environments.size === new Set(this.environments).size || path[0] === 'environments';
      const names = [...environments].map((name) => `"${name}"`).join(', ');
      const where = environments.size === 1 ? 'environment' : 'environments';
      return { path, message: everywhere ? message : `${message} in ${where} ${names}`, hint };
    });
    return [...this.#all, ...merged];
  }
}
