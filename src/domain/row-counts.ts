/** What became of the rows of a column. They balance: `read` is the sum of the others. */
export interface RowCounts {
  readonly read: number;
  readonly reencrypted: number;
  readonly alreadyNew: number;
  /** NULL or empty. */
  readonly empty: number;
  /** Somebody wrote the row between its being read and its being written; the next sweep reads it anew. */
  readonly changed: number;
  /** Neither key reads it. It is never touched. */
  readonly unreadable: number;
}

export const NO_ROWS: RowCounts = { read: 0, reencrypted: 0, alreadyNew: 0, empty: 0, changed: 0, unreadable: 0 };

export function addCounts(one: RowCounts, other: RowCounts): RowCounts {
  return {
    read: one.read + other.read,
    reencrypted: one.reencrypted + other.reencrypted,
    alreadyNew: one.alreadyNew + other.alreadyNew,
    empty: one.empty + other.empty,
    changed: one.changed + other.changed,
    unreadable: one.unreadable + other.unreadable,
  };
}

export function balances({ read, reencrypted, alreadyNew, empty, changed, unreadable }: RowCounts): boolean {
  return read === reencrypted + alreadyNew + empty + changed + unreadable;
}

/** `12,000 read: 11,990 re-encrypted, 4 already new, 5 empty, 1 unreadable`. */
export function describeCounts(counts: RowCounts): string {
  const { reencrypted, alreadyNew, empty, changed, unreadable } = counts;
  const parts = [
    [reencrypted, 're-encrypted'],
    [alreadyNew, 'already new'],
    [empty, 'empty'],
    [changed, 'changed meanwhile'],
    [unreadable, 'unreadable'],
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, what]) => `${grouped(count)} ${what}`);
  return `${grouped(counts.read)} read${said.length > 0 ? `: ${said.join(', ')}` : ''}`;
}

/** Not by locale: a workflow must come to the same text on every machine. */
function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}
