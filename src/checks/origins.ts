/** Where a flow sends what it was given: an address that a reply named (a `Location`) may lead anywhere, and a log-in's token would go along. */
import { KeyturnError } from '../domain/errors.js';
import { oneLine } from '../processes/safe-text.js';

/** Scheme, host and port that the inventory itself wrote: nothing captured stands before the path. */
const WRITTEN = /^https?:\/\/[^/?#]*(?=[/?#]|$)/i;
const CAPTURED = '${captured.';

export class Origins {
  readonly #known: Set<string>;

  /** @param allowed as the inventory lists them besides. */
  constructor(allowed: readonly string[] = []) {
    this.#known = new Set(allowed.flatMap((origin) => originOf(origin) ?? []));
  }

  /**
   * @param written the address as the inventory has it, placeholders and all; `filled` the same, filled in.
   * @throws KeyturnError `other-origin` naming the origin, before anything is sent there.
   */
  admit(written: string, filled: string): void {
    const origin = originOf(filled);
    // Not an address at all: whoever sends it says so.
    if (origin === null) return;
    const own = WRITTEN.exec(written)?.[0];
    if (own !== undefined ? !own.includes(CAPTURED) : !written.startsWith(CAPTURED)) {
      this.#known.add(origin);
      return;
    }
    if (this.#known.has(origin)) return;
    throw new KeyturnError('other-origin', oneLine(`it leads to ${origin}, where the inventory sends nothing`), {
      hint: 'if that is meant, name it at the flow: origins: [https://other.example]',
    });
  }
}

function originOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).origin : null;
}
