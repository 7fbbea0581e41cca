/** What the cancellation of a run would come to, as far as the run is now. */
export type IfCancelled =
  | {
      readonly comes: 'undone';
      /** Steps, in the order in which they are undone; none: nothing was begun. */
      readonly undoes: readonly string[];
      /** What stays changed all the same. */
      readonly stays: readonly string[];
    }
  /** It ends with a list for a person. */
  | { readonly comes: 'half done'; readonly todo: string }
  /** It goes on as if nobody had asked. */
  | { readonly comes: 'too late'; readonly why: string };

export const NOTHING_BEGUN: IfCancelled = { comes: 'undone', undoes: [], stays: [] };

/** Nobody has to think twice about it. */
export function isHarmless(ifCancelled: IfCancelled): boolean {
  return ifCancelled.comes === 'undone' && ifCancelled.undoes.length === 0;
}

export function cancellingInWords(ifCancelled: IfCancelled): string {
  switch (ifCancelled.comes) {
    case 'too late':
      return `it comes too late: ${ifCancelled.why}`;
    case 'half done':
      return `it stops half done, and leaves to a person: ${ifCancelled.todo}`;
    case 'undone': {
      const { undoes, stays } = ifCancelled;
      if (undoes.length === 0) return ['nothing is to be undone', ...stays].join(', but ');
      const steps = undoes.map((title) => `"${title}"`).join(', then ');
      return [`it undoes ${steps}`, ...stays].join(', but ');
    }
  }
}

/** Somebody has asked for it. */
export interface Cancellation {
  /** Who says so; null: it was asked for in Temporal, which names nobody. */
  readonly by: string | null;
  /** ISO 8601, workflow time. */
  readonly at: string;
  /** Why it changes nothing; null: it is heeded. */
  readonly tooLate: string | null;
}

export function cancellationInWords({ by, at, tooLate }: Cancellation): string {
  const asked = `cancellation asked for${by === null ? '' : ` by ${by}`}, at ${at}`;
  return tooLate === null ? asked : `${asked}, too late: ${tooLate}`;
}

/** The same, and what it waits for. @param now what another one would come to: too late, once this one is being heeded. */
export function cancellationUnderWay(cancellation: Cancellation, now: IfCancelled): string {
  const waits = cancellation.tooLate === null && now.comes !== 'too late';
  return `${cancellationInWords(cancellation)}${waits ? '; what is under way ends first' : ''}`;
}
