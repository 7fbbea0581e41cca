/** Whether two roles can do the same. */
import type { Server } from '../server.js';
import type { RolePair } from './pair.js';
import { readRights, type Rights } from './read-rights.js';
import { withoutBridge } from './bridge.js';

export interface Comparison {
  /** What the old role has and the new one lacks; sorted. */
  readonly missing: readonly string[];
  /** What the new role has and the old one does not, and limits and settings that both have and that differ; sorted. */
  readonly extra: readonly string[];
}

/**
 * What one of the two can do and the other cannot, after log-in, in every database of the cluster: both empty when equal. What either of
 * them owns is left out: it goes over with the ownership. Changes nothing. @throws KeyturnError `unknown-role`, and as Server.
 */
export async function compareRights(server: Server, pair: RolePair): Promise<Comparison> {
  const [old, fresh] = await readRights(server, [pair.old, pair.fresh], {
    apart: [pair.old, pair.fresh],
    prepare: (session) => withoutBridge(session, pair),
  });
  // An old role that may not log in any more is on its way out, not different.
  const { missing, extra } = differences(old ?? EMPTY, fresh ?? EMPTY);
  // A path that was spelled out (search-path.ts) is another text for the same schemas.
  const told = /^(?:attribute LOGIN: the new|setting search_path in database )/;
  return { missing, extra: extra.filter((line) => !told.test(line)) };
}

const EMPTY: Rights = new Map<string, readonly string[]>();
const PLAIN = 'it';
/** Of which a role has one value, not several: another value is neither more nor less. */
const SINGLE = /^(connection limit|valid until|setting .*)$/s;

/** @returns lines such as `database app: table public.orders: INSERT: the old role has it, the new one not`. */
export function differences(old: Rights, fresh: Rights): Comparison {
  const [missing, extra]: [string[], string[]] = [[], []];
  for (const subject of new Set([...old.keys(), ...fresh.keys()])) {
    const [had, has] = [old.get(subject) ?? [], fresh.get(subject) ?? []];
    const named = (what: string): string => (what === PLAIN ? subject : `${subject}: ${what}`);
    if (SINGLE.test(subject) && had.length === 1 && has.length === 1) {
      if (had[0] !== has[0]) extra.push(`${subject}: the new role has ${has[0] ?? ''}, the old one ${had[0] ?? ''}`);
      continue;
    }
    const lost = had.filter((what) => !has.includes(what));
    const gained = has.filter((what) => !had.includes(what));
    missing.push(...lost.map((what) => `${named(what)}: the old role has it, the new one not`));
    extra.push(...gained.map((what) => `${named(what)}: the new role has it, the old one not`));
  }
  return { missing: missing.sort(), extra: extra.sort() };
}
