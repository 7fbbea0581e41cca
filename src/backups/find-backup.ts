/** Is there a backup of this very value that can be relied on? Asked before a critical secret is rotated (document 004). */
import { formatMilliseconds, milliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import { names, readBackups, youth, type FoundBackup } from './read-backups.js';
import type { Sealer } from './seal.js';

/** A backup of the inventory that names the secret. */
export interface BackupPlace {
  /** `SYSTEM/ENV/NAME`. */
  readonly backup: string;
  /** Absolute. */
  readonly directory: string;
  readonly maxAge: string;
}

/** The nearest that was found to what was asked for, the last of these being what was asked for. */
const NEARNESS = ['no backup', 'of another value', 'unproven', 'archive changed', 'too old', 'proven'] as const;
export type BackupVerdict = (typeof NEARNESS)[number];

export interface BackupAnswer {
  /** `proven`: there is one; everything else is why there is none. */
  readonly verdict: BackupVerdict;
  /** One sentence for people. */
  readonly text: string;
  /** The backup that it speaks of. */
  readonly found: FoundBackup | null;
}

export interface BackupQuestion {
  readonly places: readonly BackupPlace[];
  /** `SYSTEM/ENV/SECRET`. */
  readonly ref: string;
  /** Of the value that must be in it. Whether it was current or pending then does not matter. */
  readonly fingerprint: string;
  readonly now: Date;
}

/**
 * The youngest proven backup of this value whose archive is still what was written; or why there is none, by the one that comes
 * nearest. Reads, and changes nothing. A directory that is not there holds no backup.
 * @throws KeyturnError `not-writable` for a directory that cannot be read.
 */
export async function findBackup(question: BackupQuestion, seals: Sealer): Promise<BackupAnswer> {
  const answers: BackupAnswer[] = [];
  for (const place of question.places) answers.push(...(await answersAt(place, question, seals)));
  const best = answers.sort((one, other) => nearness(other) - nearness(one) || youthOf(other) - youthOf(one))[0];
  if (best) return best;
  const where = question.places.map(({ directory }) => directory).join(', ');
  return { verdict: 'no backup', text: `no backup of ${question.ref} in ${where}`, found: null };
}

/** The same as an error. @throws KeyturnError `backup-missing`, with the verdict in its message. */
export async function demandBackup(question: BackupQuestion, seals: Sealer): Promise<FoundBackup> {
  const { verdict, text, found } = await findBackup(question, seals);
  if (verdict === 'proven' && found) return found;
  throw new KeyturnError('backup-missing', text, {
    hint: `make one: keyturn backup ${question.places[0]?.backup ?? ''}`,
  });
}

async function answersAt(place: BackupPlace, question: BackupQuestion, seals: Sealer): Promise<BackupAnswer[]> {
  try {
    const all = await readBackups(place.directory, seals);
    const own = all.filter((found) => found.manifest?.backup === place.backup && names(found, question.ref).length > 0);
    return own.map((found) => judge(found, place, question));
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.code !== 'not-found') throw error;
    const text = `no backup of ${question.ref}: ${error.message}${error.hint ? ` (${error.hint})` : ''}`;
    return [{ verdict: 'no backup', text, found: null }];
  }
}

function judge(found: FoundBackup, place: BackupPlace, { ref, fingerprint, now }: BackupQuestion): BackupAnswer {
  const say = (verdict: BackupVerdict, text: string): BackupAnswer => ({ verdict, text, found });
  const { archive, state } = found;
  if (!names(found, ref).some((entry) => entry.fingerprint === fingerprint)) {
    return say('of another value', `the backup ${archive} holds another value of ${ref} than the one in use`);
  }
  if (state === 'unproven') return say('unproven', `the backup ${archive} of ${ref} was never proven by a restore`);
  if (state !== 'proven') return say('archive changed', `the backup ${archive} of ${ref} does not count: ${state}`);
  const age = now.getTime() - youth(found);
  const old = formatMilliseconds(Math.max(0, age));
  // One from the future was proven by a worker with a wrong clock: how old it is cannot be known.
  if (age < -CLOCK_SKEW_MS) return say('too old', `the backup ${archive} of ${ref} has a proof from the future`);
  if (age > milliseconds(place.maxAge)) {
    return say('too old', `the backup ${archive} of ${ref} was proven ${old} ago, longer than ${place.maxAge}`);
  }
  return say('proven', `${archive}, proven ${old} ago`);
}

/** Clocks of workers differ. */
const CLOCK_SKEW_MS = 300_000;

function nearness({ verdict }: BackupAnswer): number {
  return NEARNESS.indexOf(verdict);
}

function youthOf({ found }: BackupAnswer): number {
  return found ? youth(found) : 0;
}
