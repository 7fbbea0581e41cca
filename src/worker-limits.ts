/**
 * How much a worker takes on at once, by what it has: memory as its container may use it, and processors. Too few cached runs and every
 * step of a busy run is a replay of all before it; too many, and the worker is ended for want of memory.
 */
import { availableParallelism, totalmem } from 'node:os';
import { KeyturnError } from './domain/errors.js';

export interface WorkerLimits {
  /** Runs that stay in memory between two of their steps. Others are replayed, under 220 events, when they wake. */
  readonly cachedRuns: number;
  /** Steps under way. A watch is one for as long as it lasts. */
  readonly activities: number;
}

export interface Means {
  /** Bytes. */
  readonly memory: number;
  readonly processors: number;
}

const MEGABYTE = 1_048_576;
/** Of a run that waits at its gate, measured (docs/performance.md) and rounded up. */
const RUN = 0.5 * MEGABYTE;
/** The cache gets this part of the memory. A worker without any takes a fourth of a gigabyte, and its programs need theirs. */
const PART = 0.1;
const [FEWEST_RUNS, MOST_RUNS] = [50, 500];
/** More are not busy at once; one that waits for people or time needs no place. */
const RUNS_PER_PROCESSOR = 100;
/** Most of them wait, for a program or a service. */
const PER_PROCESSOR = 50;
const MOST_ACTIVITIES = 500;

/** @throws KeyturnError `setting-bad` for what is no whole number from 2 on. */
export function limitsOf(variables: Readonly<Record<string, string | undefined>>, means = meansHere()): WorkerLimits {
  const cached = Math.floor((means.memory * PART) / RUN);
  return {
    cachedRuns:
      numberIn(variables, 'KEYTURN_CACHED_RUNS') ??
      Math.min(Math.max(cached, FEWEST_RUNS), RUNS_PER_PROCESSOR * means.processors, MOST_RUNS),
    activities:
      numberIn(variables, 'KEYTURN_ACTIVITIES_AT_ONCE') ?? Math.min(PER_PROCESSOR * means.processors, MOST_ACTIVITIES),
  };
}

/** A container's limit where there is one. */
function meansHere(): Means {
  const limit = process.constrainedMemory();
  return { memory: limit > 0 ? Math.min(limit, totalmem()) : totalmem(), processors: availableParallelism() };
}

function numberIn(variables: Readonly<Record<string, string | undefined>>, name: string): number | null {
  const text = variables[name];
  if (!text) return null;
  if (/^\d{1,5}$/.test(text) && Number(text) >= 2) return Number(text);
  throw new KeyturnError('setting-bad', `${name} is not a whole number from 2 to 99999`, {
    hint: 'leave it out: the worker goes by the memory and the processors that it has',
  });
}
