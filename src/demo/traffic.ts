/**
 * Steady traffic on the example systems: people who stay signed in, read and write, each with cookies or tokens of their own.
 * It shows what a rotation does to them.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../domain/errors.js';
import type { ExampleSystem } from './systems.js';
import type { ExampleName } from './systems/blueprints.js';
import { Connection } from './traffic/connection.js';
import type { Rate } from './traffic/pace.js';
import { Person } from './traffic/person.js';
import { PROFILES } from './traffic/profiles.js';
import type { Counts } from './traffic/tally.js';
import { Tally } from './traffic/tally.js';

export type { Rate } from './traffic/pace.js';
export type { Counts } from './traffic/tally.js';

/** `environment` tells two of one system apart. */
type Target = Pick<ExampleSystem, 'name' | 'url' | 'users' | 'password'> & Partial<Pick<ExampleSystem, 'environment'>>;

/**
 * What a stream of traffic is called: by its system's name where that is there once, by `messaging/staging` where several of its
 * environments are. The longer name always finds it.
 */
export type StreamName = ExampleName | `${ExampleName}/${string}`;

export interface TrafficOptions {
  /** People signed in to each system at the same time. Default: 4; 8 for messaging. */
  readonly people?: number;
  /**
   * Requests a second to each system, all its people together. Default: 20; 60 for messaging. Fewer while the system answers
   * slowly; up to a second's worth of them is made up for.
   */
  readonly rate?: number;
}

export interface Mark {
  readonly label: string;
  readonly at: Date;
  /** Counts of every system since the start. */
  readonly counts: ReadonlyMap<StreamName, Counts>;
}

export interface Traffic {
  /** Since the start. */
  counts(name: StreamName): Counts;
  /** The first failures of each system, redacted. */
  failures(name: StreamName): readonly string[];
  /** Every request that was refused or failed, by reason. */
  reasons(name: StreamName): ReadonlyMap<string, number>;
  /** Requests answered a second since the traffic flows. */
  rate(name: StreamName): Rate;
  /** Remembers how things stand now. */
  mark(label: string): Mark;
  readonly marks: readonly Mark[];
  /** Requests under way are finished and counted, then all connections are closed. Idempotent. */
  stop(): Promise<ReadonlyMap<StreamName, Counts>>;
}

/** What a slow spell held up and is made up for, at the most. */
const DEBT_MS = 1_000;

/**
 * Resolves when everybody is signed in and the traffic flows.
 * @throws KeyturnError `traffic-not-started` if somebody cannot sign in.
 */
export async function startTraffic(systems: readonly Target[], options: TrafficOptions = {}): Promise<Traffic> {
  const streams = systems.map((system) => openStream(system, systems, options));
  const stopping = new AbortController();
  // Everybody listens to it between two requests, which is no leak.
  setMaxListeners(0, stopping.signal);
  let stopped: Promise<void> | null = null;
  const marks: Mark[] = [];
  const all = (): Map<StreamName, Counts> => new Map(streams.map(({ name, tally }) => [name, tally.counts]));
  const find = (name: StreamName): Tally => {
    const stream = streams.find((one) => one.name === name || one.longName === name);
    if (!stream) throw new KeyturnError('no-such-system', `there is no traffic on ${name}`);
    return stream.tally;
  };
  try {
    await Promise.all(streams.map(signEverybodyIn));
  } catch (error) {
    for (const { connection } of streams) connection.close();
    throw error;
  }
  for (const { tally } of streams) tally.pace.begin();
  const lives = streams.flatMap(({ people, period }) =>
    people.map((person, index) => live(person, period, (period * index) / people.length, stopping.signal)),
  );
  return {
    counts: (name) => find(name).counts,
    failures: (name) => find(name).failures,
    reasons: (name) => find(name).reasons,
    rate: (name) => find(name).pace.rate(),
    marks,
    mark(label) {
      const mark = { label, at: new Date(), counts: all() };
      marks.push(mark);
      return mark;
    },
    async stop() {
      stopping.abort();
      for (const { tally } of streams) tally.pace.end();
      stopped ??= Promise.all(lives).then(() => {
        for (const { connection } of streams) connection.close();
      });
      await stopped;
      return all();
    },
  };
}

interface Stream {
  readonly name: StreamName;
  readonly longName: StreamName;
  readonly people: readonly Person[];
  readonly tally: Tally;
  readonly connection: Connection;
  /** Milliseconds between two actions of one person. */
  readonly period: number;
}

function openStream(target: Target, all: readonly Target[], options: TrafficOptions): Stream {
  const { name, url, users, password } = target;
  const profile = PROFILES[name];
  const { people = profile.people, rate = profile.rate } = options;
  const connection = new Connection(url, people);
  const tally = new Tally();
  const everybody = Array.from({ length: people }, (_, index) => {
    const account = { username: users[index % users.length] ?? 'smoke', everybody: users, password };
    return new Person(account, profile.pages, profile.credentials(url), connection, tally);
  });
  const longName: StreamName = target.environment === undefined ? name : `${name}/${target.environment}`;
  return {
    name: all.filter((one) => one.name === name).length === 1 ? name : longName,
    longName,
    people: everybody,
    tally,
    connection,
    period: (people / rate) * 1_000,
  };
}

async function signEverybodyIn({ name, people, tally }: Stream): Promise<void> {
  const signedIn = await Promise.all(people.map((person) => person.signIn()));
  if (signedIn.every(Boolean)) return;
  throw new KeyturnError('traffic-not-started', `not everybody could sign in to ${name}: ${tally.failures.join('; ')}`);
}

/** One thing at a time: a slow system makes its people wait, it does not pile requests up. */
async function live(person: Person, period: number, offset: number, signal: AbortSignal): Promise<void> {
  let next = performance.now() + offset;
  while (!signal.aborted) {
    try {
      await sleep(Math.max(0, next - performance.now()), undefined, { signal });
    } catch {
      return;
    }
    await person.act();
    next = Math.max(next + period, performance.now() - DEBT_MS);
  }
}
