/**
 * The steps of a runbook as one table. It alone says whether a step is there, what it is called, whether it can be undone, and where the
 * point of no return is: the workflow carries its rows out by their keys, the checklist and `keyturn plan` show them.
 */

/** `forward`: at or after the point of no return. */
export type Undo = 'nothing to undo' | 'undone on failure' | 'forward';

type Of<P, T> = T | ((plan: P) => T);

export interface StepRow<P, K extends string> {
  readonly key: K;
  readonly title: Of<P, string>;
  /** What it will do, for people who decide before it does. */
  readonly detail: Of<P, string>;
  /** Left out: in every plan. `if needed`: no plan can tell; it is shown once the run knows. */
  readonly when?: (plan: P) => boolean | 'if needed';
  /** Left out: it changes nothing. */
  readonly undo?: Of<P, Undo>;
  /** It asks people, who decide by this name. */
  readonly gate?: string;
  /** What is in use changes from this step on. Where others may have the old value, a cancellation comes too late then. */
  readonly begins?: 'change';
}

export interface StepTable<P, K extends string> {
  readonly rows: readonly StepRow<P, K>[];
}

export type KeyOf<T> = T extends StepTable<never, infer K> ? K : never;

/** A step for one plan. */
export interface StepOutline {
  readonly key: string;
  readonly title: string;
  readonly detail: string;
  readonly undo: Undo;
  readonly ifNeeded: boolean;
  readonly gate: string | null;
  readonly beginsChange: boolean;
}

/** `stepTable<Plan>()([…])`: the keys are found out from the rows. */
export function stepTable<P>() {
  return <const K extends string>(rows: readonly StepRow<P, K>[]): StepTable<P, K> => ({ rows });
}

/** The rows that a plan has, in order; those that only some of its runs come to among them. */
export function outlineOf<P>({ rows }: StepTable<P, string>, plan: P): StepOutline[] {
  return rows.flatMap(({ key, title, detail, when, undo = 'nothing to undo', gate = null, begins }) => {
    const there = when?.(plan) ?? true;
    if (there === false) return [];
    return {
      key,
      title: of(title, plan),
      detail: of(detail, plan),
      undo: of(undo, plan),
      ifNeeded: there === 'if needed',
      gate,
      beginsChange: begins === 'change',
    };
  });
}

function of<P, T extends string>(text: Of<P, T>, plan: P): T {
  return typeof text === 'function' ? text(plan) : text;
}
