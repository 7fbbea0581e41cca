/** Follows the chain row by row, in the order of the sequence, and stops at the first row that does not fit. */
import type { LedgerRow, Verification } from './ledger.js';
import { GENESIS, rowHash } from './row-hash.js';

export class ChainWalk {
  #rows = 0;
  #head = GENESIS;
  #seenAt: number | null = null;

  /** @param expectHead a head noted earlier, which must be met on the way; null: none. */
  constructor(private readonly expectHead: string | null) {
    if (this.#isExpected(GENESIS)) this.#seenAt = 0;
  }

  /** @returns what is wrong, or null: go on. */
  next(row: LedgerRow): Verification | null {
    const due = this.#rows + 1;
    if (row.sequence < due) return this.#broken(row.sequence, 'it stands before the first row');
    if (row.sequence > due) {
      const last = row.sequence - 1;
      return this.#broken(due, last === due ? 'it is missing' : `it and the rows up to ${last} are missing`);
    }
    if (row.previousHash !== this.#head) {
      return this.#broken(
        due,
        'it does not follow the row before it: one of the two was exchanged, inserted or rewritten',
      );
    }
    if (!hashFits(row)) return this.#broken(due, 'its content is not what its hash was taken over: it was altered');
    this.#rows = due;
    this.#head = row.hash;
    if (this.#isExpected(row.hash)) this.#seenAt = due;
    return null;
  }

  end(): Verification {
    if (this.expectHead !== null && this.#seenAt === null) {
      return this.#broken(
        this.#rows + 1,
        'the head noted earlier is nowhere in the chain: rows were cut off, or all were rewritten',
        true,
      );
    }
    return {
      intact: true,
      rows: this.#rows,
      head: this.#rows === 0 ? null : this.#head,
      rowsSinceHead: this.#seenAt === null ? null : this.#rows - this.#seenAt,
    };
  }

  #isExpected(hash: string): boolean {
    return this.expectHead !== null && this.expectHead.trim().toLowerCase() === hash;
  }

  /** Rows that fit. */
  get rows(): number {
    return this.#rows;
  }

  #broken(sequence: number, reason: string, headMissing = false): Verification {
    return { intact: false, rows: this.#rows, sequence, reason, headMissing };
  }
}

function hashFits(row: LedgerRow): boolean {
  try {
    return rowHash(row) === row.hash;
  } catch {
    // Not even canonical: no row that was written here is like that.
    return false;
  }
}
