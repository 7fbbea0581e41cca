/**
 * What was made from files, kept until one of them changes. A worker asks the same files at every step of every run; to look
 * whether they have changed costs a fiftieth of reading them.
 */
import { stat } from 'node:fs/promises';
import { SharedLooks } from './shared-looks.js';

/** A clock's or a file system's coarseness: what changed this shortly before it was read may change again unseen. Milliseconds. */
const SETTLED_MS = 2_000;

interface Kept<T> {
  readonly value: T;
  readonly paths: readonly string[];
  readonly stamp: string;
}

export class FileMemo<K, T> {
  readonly #kept = new Map<K, Kept<T>>();
  readonly #looks = new SharedLooks<K, T>();

  /** @param most entries; the least recently asked for go first. @param settled milliseconds. */
  constructor(
    private readonly most: number,
    private readonly settled = SETTLED_MS,
  ) {}

  /**
   * @param make reads anew and says which files and directories it has looked at, also those that were not there. What it throws
   * is thrown and not kept. The same for everybody who asks with this key.
   */
  get(key: K, make: () => Promise<{ value: T; paths: readonly string[] }>): Promise<T> {
    return this.#looks.ask(key, () => this.#look(key, make));
  }

  async #look(key: K, make: () => Promise<{ value: T; paths: readonly string[] }>): Promise<T> {
    const kept = this.#kept.get(key);
    const unchanged = kept !== undefined && (await stampOf(kept.paths)).text === kept.stamp;
    this.#kept.delete(key);
    if (unchanged) {
      this.#kept.set(key, kept);
      return kept.value;
    }
    const began = Date.now();
    const { value, paths } = await make();
    const { text, changedAt } = await stampOf(paths);
    if (changedAt < began - this.settled) this.#kept.set(key, { value, paths, stamp: text });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.most && oldest !== undefined) this.#kept.delete(oldest);
    return value;
  }
}

async function stampOf(paths: readonly string[]): Promise<{ text: string; changedAt: number }> {
  const all = await Promise.all(paths.map(stampOfOne));
  return { text: all.map(({ text }) => text).join('\n'), changedAt: Math.max(0, ...all.map((one) => one.changedAt)) };
}

/** The change time moves with the content, the owner, the mode and the name, and no program can set it back. */
async function stampOfOne(path: string): Promise<{ text: string; changedAt: number }> {
  try {
    const { dev, ino, size, ctimeNs } = await stat(path, { bigint: true });
    return { text: `${dev}:${ino}:${size}:${ctimeNs}`, changedAt: Number(ctimeNs / 1_000_000n) };
  } catch {
    return { text: 'none', changedAt: 0 };
  }
}
