/**
 * One stateful world behind the activities of every runbook. Each changes plain state, idempotently, as the real one does; and after
 * each it is asked what must hold at every instant: whoever runs has a value that is taken, and no row is under a destroyed key.
 */
import { randomUUID } from 'node:crypto';
import type { LeftBehind } from '../../../../src/activities/rotation-activities.js';
import type { BackupPlan } from '../../../../src/domain/backup.js';
import type { RotationPlan } from '../../../../src/domain/plan.js';
import type { RunbookActivities } from '../../../../src/workflows/lib/activities.js';
import { archiveActivities } from './archives.js';
import { letsIn, roleOf, swapActivities } from './roles.js';
import { everybodyWrites, rotationActivities } from './rotation.js';
import { rowActivities } from './rows.js';
import { beginning, LOST, Store, type State } from './state.js';

export type AnyActivity = keyof RunbookActivities;
type Activities = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** What its value is to a service: which of them must be taken where, at every instant. */
export type Kind = 'replaced' | 'overlapping' | 'credential' | 'password in place' | 'key' | 'none';

/** What the activities know of the world besides its state. */
export interface Place {
  readonly plan: RotationPlan;
  /** What its services are on their host: locked while they are deployed. */
  readonly thing: string;
  leftBehind(requestId: string): LeftBehind | null;
  /** @returns why a service cannot work; null: it can. */
  works(name: string): string | null;
}

/** The world as it is compared. */
export interface Picture extends Pick<State['store'], 'current' | 'pending' | 'previous' | 'arrangement'> {
  readonly services: State['services'];
  readonly sessions: number;
  readonly roles: State['roles'];
  /** Under which rows are. */
  readonly keys: readonly string[];
  readonly quarantined: number;
}

export interface Given {
  readonly kind: Kind;
  readonly plan: RotationPlan;
  readonly backup: BackupPlan;
  readonly begins?: (state: State) => void;
}

export class World {
  readonly state: State;
  readonly store: Store;
  readonly thing = `thing-${randomUUID()}`;
  /** What did not hold at some instant. */
  readonly broken: string[] = [];
  /** The application was shown a new value. */
  newShown = false;
  /** The world before anything. */
  readonly before: Picture;
  private readonly effects: Activities;

  constructor(readonly given: Given) {
    const { kind, plan, backup, begins } = given;
    const isCredential = kind === 'credential' || kind === 'password in place';
    const first = isCredential ? 'app/the first value' : 'the first value';
    this.state = beginning(
      first,
      plan.services.map(({ name }) => name),
    );
    if (isCredential) this.state.roles['app'] = { password: 'the first value', login: true };
    if (kind === 'key') everybodyWrites(this.state);
    begins?.(this.state);
    this.store = new Store(this.state.store);
    const place: Place = {
      plan,
      thing: this.thing,
      leftBehind: (requestId) => this.leftBehind(requestId),
      works: (name) => this.works(name),
    };
    this.before = this.picture();
    this.effects = {
      ...rotationActivities(this.state, this.store, place),
      ...swapActivities(this.state, this.store),
      ...rowActivities(this.state, this.store, place),
      ...archiveActivities(this.state, backup),
      findAhead: () => Promise.resolve({ ahead: null }),
      awaitServices: () => Promise.resolve({ heldBy: null }),
    } as unknown as Activities;
    this.before = this.picture();
  }

  /** The names of all activities that there are. */
  get activities(): string[] {
    return Object.keys(this.effects);
  }

  async call(name: string, args: unknown[]): Promise<unknown> {
    const effect = this.effects[name];
    if (!effect) throw new Error(`the world has no ${name}`);
    const answer = await effect(...args);
    if (this.given.kind === 'key' && name === 'deployService') everybodyWrites(this.state);
    this.newShown ||= this.state.store.current !== this.before.current;
    for (const line of this.wrong()) this.broken.push(`after ${name}: ${line}`);
    return answer;
  }

  /** Everything but what was written meanwhile: which keys rows are under, not how many rows. */
  picture(): Picture {
    const { store, services, sessions, roles, rows, quarantine } = this.state;
    const { current, pending, previous, arrangement } = store;
    const keys = [...new Set(rows.map(({ key }) => key))].sort();
    return structuredClone({
      ...{ current, pending, previous, arrangement, services, sessions, roles, keys },
      quarantined: quarantine.length,
    });
  }

  /** @returns in which ways a value is still taken. */
  aliveOf(value: string): string[] {
    const { services, rows, store } = this.state;
    const takers = Object.entries(services).filter(([, { signs, accepts }]) => [signs, ...accepts].includes(value));
    const under = rows.filter(({ key }) => key === value).length;
    return [
      ...takers.map(([name]) => `${name} takes the old value`),
      ...(under > 0 ? [`${under} row(s) are under the old key`] : []),
      ...(letsIn(this.state, value) ? ['the old credential is let in'] : []),
      ...(store.current === value ? ['the store shows the old value'] : []),
    ];
  }

  /** @returns why a service that runs cannot work with what it has; null: it can. */
  works(name: string): string | null {
    const { services, rows } = this.state;
    const service = services[name];
    if (!service?.running) return 'it does not run';
    const { signs, accepts } = service;
    const all = [signs, ...accepts];
    switch (this.given.kind) {
      case 'credential':
      case 'password in place':
        return letsIn(this.state, signs) ? null : 'its credential is not let in';
      case 'key': {
        const closed = rows.filter(({ key }) => key !== LOST && !all.includes(key)).length;
        return closed > 0 ? `it cannot read ${closed} row(s)` : null;
      }
      default:
        return null;
    }
  }

  private wrong(): string[] {
    const { services, store, rows } = this.state;
    const running = Object.entries(services).filter(([, service]) => service.running);
    const lines: string[] = [];
    // A server knows one password a role: from its change to the deploy new connections are refused, as the runbook says.
    if (this.given.kind !== 'password in place')
      for (const [name] of running) {
        const why = this.works(name);
        if (why !== null) lines.push(`${name}: ${why}`);
      }
    if (this.given.kind === 'overlapping')
      for (const [name, { signs }] of running)
        for (const [other, its] of running)
          if (![its.signs, ...its.accepts].includes(signs)) lines.push(`${other} refuses what ${name} signs`);
    if (this.given.kind === 'key') {
      const kept = [store.current, store.pending, store.previous, LOST];
      const gone = rows.filter(({ key }) => !kept.includes(key)).length;
      if (gone > 0) lines.push(`${gone} row(s) are under a key that no store holds`);
    }
    return lines;
  }

  private leftBehind(requestId: string): LeftBehind | null {
    const { rotation, arrangement, reached, current, pending, previous } = this.state.store;
    if (rotation === null || rotation === requestId) return null;
    // The run that finishes another has its reason here, and asks for itself.
    const left = { rotation, arrangement, reached, exposed: false };
    if (this.given.kind !== 'credential') return left;
    const switched = arrangement.startsWith('new');
    const old = this.state.roles[roleOf((switched ? previous : current) ?? '')];
    const oldRole = old === undefined ? 'gone' : old.login ? 'usable' : 'shut out';
    return { ...left, oldRole, newRole: roleOf((switched ? current : pending) ?? '') };
  }
}
