/** The two roles of a swap, and on whom rights and ownership sit. */

export interface RolePair {
  /** `group`: rights sit on a role that cannot log in, each login is its member. `copy`: the new role gets the same itself. */
  readonly strategy: 'group' | 'copy';
  readonly old: string;
  readonly fresh: string;
  /** Strategy group: who holds the rights; null: the old role itself becomes the group. Ignored by `copy`. */
  readonly group: string | null;
}

/** Who must hold what the old role holds: the new login itself, or the group it works as. */
export function holderOf({ strategy, old, fresh, group }: RolePair): string {
  return strategy === 'copy' ? fresh : (group ?? old);
}
