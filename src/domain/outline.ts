/** The steps of a runbook for one plan, in order: what the checklist shows as still to come and what `keyturn plan` prints. */
export interface StepOutline {
  readonly key: string;
  readonly title: string;
  readonly detail: string;
  /** `forward`: at or after the point of no return. */
  readonly undo: 'nothing to undo' | 'undone on failure' | 'forward';
}
