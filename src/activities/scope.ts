/** What an activity has opened and must not leave behind: closed when it ends, in whatever way. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Purpose } from '../databases/access/working-login-end.js';

export interface Scope {
  readonly purpose: Purpose;
  /** The last one first. */
  readonly atEnd: (release: () => Promise<unknown>) => void;
}

const scopes = new AsyncLocalStorage<Scope>();

/** @throws TypeError outside of one: what is opened there would stay. */
export function currentScope(): Scope {
  const scope = scopes.getStore();
  if (!scope) throw new TypeError('nothing would be closed here: work within withScope');
  return scope;
}

/** A failure to close is told to `onFailure` and changes nothing about how the work ended. */
export async function withScope<T>(
  purpose: Purpose,
  onFailure: (error: unknown) => void,
  work: () => Promise<T>,
): Promise<T> {
  const releases: (() => Promise<unknown>)[] = [];
  try {
    return await scopes.run({ purpose, atEnd: (release) => void releases.push(release) }, work);
  } finally {
    for (const release of releases.reverse()) await release().catch(onFailure);
  }
}
