/** What a step saw. Goes into history, the report and the ledger, so it carries counts, names and fingerprints, never values. */
export interface Evidence {
  /** One sentence for people, at most about 300 characters. */
  readonly summary: string;
  /** The same for machines. */
  readonly facts?: Readonly<Record<string, string | number | boolean | null>>;
}
