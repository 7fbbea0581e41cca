/** What a runbook changes, small enough to be compared whole. A value is a plain text here: nothing of it ever reaches a workflow. */
import { ApplicationFailure } from '@temporalio/common';
import type { RecordedReport } from '../../../../src/activities/rotation-activities.js';
import { furtherOf, type Arrangement } from '../../../../src/domain/slot.js';

export interface Service {
  running: boolean;
  /** A session secret that it signs with, a key that it writes with, a credential that it logs in with. */
  signs: string;
  /** What it takes besides. */
  accepts: readonly string[];
}

export interface Versions {
  current: string;
  pending: string | null;
  previous: string | null;
  rotation: string | null;
  arrangement: Arrangement;
  reached: Arrangement;
}

export interface Role {
  /** null: it has none, as a group has none. */
  password: string | null;
  login: boolean;
}

export interface Row {
  readonly plain: string;
  key: string;
}

export interface Archive {
  readonly run: string;
  state: 'made' | 'proven' | 'set aside';
}

export interface State {
  store: Versions;
  readonly services: Record<string, Service>;
  sessions: number;
  readonly roles: Record<string, Role>;
  rows: Row[];
  quarantine: Row[];
  /** Rows of the quarantine that people have entered again. */
  entered: number;
  readonly archives: Archive[];
  readonly ledger: RecordedReport[];
}

/** The value that no key of the store reads. */
export const LOST = 'a lost key';

export function refuse(type: string, message: string, effect: 'none' | 'applied' | 'unknown' = 'none'): never {
  throw ApplicationFailure.create({
    type,
    message,
    nonRetryable: true,
    details: [{ effect, hint: null, diagnosis: null }],
  });
}

export function beginning(current: string, services: readonly string[]): State {
  return {
    store: {
      current,
      pending: null,
      previous: null,
      rotation: null,
      arrangement: 'old only',
      reached: 'old only',
    },
    services: Object.fromEntries(services.map((name) => [name, { running: true, signs: current, accepts: [] }])),
    sessions: 7,
    roles: {},
    rows: [],
    quarantine: [],
    entered: 0,
    archives: [],
    ledger: [],
  };
}

/** As the contract of a store has it (src/stores/secret-store.ts): idempotent for one rotation, refused to another. */
export class Store {
  constructor(private readonly of: Versions) {}

  stage(rotation: string, value: string): void {
    const { of } = this;
    this.demandOwn(rotation, 'may be free');
    if (of.rotation === rotation) return;
    Object.assign(of, { pending: value, rotation, arrangement: 'old only', reached: 'old only' });
  }

  /** @returns whether it changed anything. */
  arrange(rotation: string, to: Arrangement): boolean {
    const { of } = this;
    this.demandOwn(rotation, 'must be staged');
    if (of.arrangement === to) return false;
    const [was, is] = [of.arrangement.startsWith('new'), to.startsWith('new')];
    if (!was && is) Object.assign(of, { previous: of.current, current: of.pending, pending: null });
    if (was && !is) Object.assign(of, { pending: of.current, current: of.previous, previous: null });
    of.arrangement = to;
    of.reached = furtherOf(of.reached, to);
    return true;
  }

  discard(rotation: string): void {
    const { of } = this;
    this.demandOwn(rotation, 'may be free');
    if (of.rotation === null) return;
    if (of.arrangement !== 'old only') refuse('wrong-arrangement', `"${of.arrangement}" is shown: it is in use`);
    this.clear({ pending: null });
  }

  forget(rotation: string): void {
    const { of } = this;
    this.demandOwn(rotation, 'may be free');
    if (of.rotation === null) return;
    if (of.arrangement !== 'new only') refuse('wrong-arrangement', `"${of.arrangement}" is shown: it is in use`);
    this.clear({ previous: null });
  }

  /** The two values of a rotation. */
  pair(rotation: string): { readonly old: string; readonly fresh: string } {
    const { of } = this;
    this.demandOwn(rotation, 'must be staged');
    const switched = of.arrangement.startsWith('new');
    const [old, fresh] = switched ? [of.previous, of.current] : [of.current, of.pending];
    return { old: old ?? refuse('not-found', 'no old value'), fresh: fresh ?? refuse('not-found', 'no new value') };
  }

  /** What the application is shown: the first signs. */
  shown(): readonly string[] {
    const { current, pending, previous, arrangement } = this.of;
    const second = arrangement === 'old, accept new' ? pending : arrangement === 'new, accept old' ? previous : null;
    return second === null ? [current] : [current, second];
  }

  private clear(version: Partial<Versions>): void {
    Object.assign(this.of, version, { rotation: null, arrangement: 'old only', reached: 'old only' });
  }

  private demandOwn(rotation: string, otherwise: 'may be free' | 'must be staged'): void {
    const { of } = this;
    if (of.rotation === rotation || (of.rotation === null && otherwise === 'may be free')) return;
    if (of.rotation === null) refuse('nothing-staged', `rotation ${rotation} has nothing in the store`);
    refuse('other-rotation', `it belongs to ${of.rotation}`);
  }
}
