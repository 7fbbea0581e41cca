/** `${NAME}` and `$NAME`: variables of a dotenv file that others are put together from. */
import type { EnvFile } from './env-file.js';

const REFERENCE = /\$(?:\{([A-Za-z_]\w{0,200})|([A-Za-z_]\w{0,200}))/g;

/** The names in a value as it is written, in order. */
export function referencesIn(raw: string): string[] {
  return [...raw.matchAll(REFERENCE)].map(([, braced, bare]) => braced ?? bare ?? '');
}

/** The variables that change with one of `names`, through others too, and where they stand. */
export function containersOf(file: Pick<EnvFile, 'assignments'>, names: readonly string[]): string[] {
  const found = new Map<string, number>();
  const changed = new Set(names);
  // Each round finds those that contain what the last one found.
  for (let before = -1; before !== changed.size;) {
    before = changed.size;
    for (const { key, line, raw, style } of file.assignments) {
      if (changed.has(key) || style === 'single' || !referencesIn(raw.text).some((name) => changed.has(name))) continue;
      changed.add(key);
      found.set(key, line);
    }
  }
  return [...found].map(([key, line]) => `${key} (line ${line})`);
}
