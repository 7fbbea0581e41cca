/**
 * What an activity answered is looked at before it is relied on. Anybody with write access to the namespace can complete one by hand
 * (`temporal activity complete`), with `{}` or whatever comes to mind; that ends the step as failed, and proves nothing.
 */
import { z } from 'zod';
import type { Evidence } from '../../domain/evidence.js';
import type { ProofEvidence } from '../../domain/proof.js';
import type { RunbookActivities } from './activities.js';
import { answer } from './failures.js';

type Name = keyof RunbookActivities;
type Result<K extends Name> = Awaited<ReturnType<RunbookActivities[K]>>;
/** Those whose result is, or is not, of a kind. */
type Proving = { [K in Name]: Result<K> extends ProofEvidence ? K : never }[Name];
type WithoutEvidence = { [K in Name]: Result<K> extends Evidence ? never : K }[Name];

const words = z.string().min(1);
const evidence = { summary: z.string() };
const list = z.array(z.unknown());
const plan = z.looseObject({ ref: z.looseObject({}), requestId: words, taskQueue: words });

const PROOF = z.strictObject({
  summary: words,
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
  proof: z.strictObject({ proven: z.boolean(), because: words }),
});
const PROOFS: Record<Proving, z.ZodType> = {
  proveOldRefused: PROOF,
  proveOldLoginRefused: PROOF,
  proveOldKeyUnused: PROOF,
};

/** Evidence with something beside it that the run goes by. */
const MORE: Partial<Record<Name, z.ZodType>> = {
  checkReadiness: z.looseObject({
    ...evidence,
    leftBehind: z.looseObject({ rotation: words }).nullable(),
    deployedBy: words.nullable(),
  }),
  // An empty list would read as ready.
  askReadiness: z.looseObject({
    ...evidence,
    worker: words,
    lines: z
      .array(z.looseObject({ question: words, state: z.enum(['ok', 'warning', 'problem']), answer: z.string() }))
      .min(1),
  }),
  readRows: z.looseObject({ ...evidence, others: z.number(), which: list }),
  reencryptAtomically: z.looseObject({ ...evidence, counts: z.looseObject({}), unreadable: list }),
  reencryptRows: z.looseObject({ ...evidence, counts: z.looseObject({}), unreadable: list }),
  findRejected: z.looseObject({ ...evidence, rejected: z.number() }),
};

const anything = z.unknown();
const OTHERS: Record<WithoutEvidence, z.ZodType> = {
  expandRequest: list,
  resolvePlan: plan,
  resolveRecovery: plan,
  resolveBackup: plan,
  expandBackups: list,
  findBackupsOf: list,
  splitRows: z.looseObject({ ranges: list }),
  findSessions: z.looseObject({ lines: list, key: z.string() }),
  awaitAdoption: z.looseObject({ lines: list, key: z.string() }),
  findWindow: z.looseObject({ waitMilliseconds: z.number() }),
  findAhead: z.looseObject({ ahead: words.nullable() }),
  awaitServices: z.looseObject({ heldBy: z.looseObject({}).nullable() }),
  remindApprovers: anything,
  findHolder: z.looseObject({ runId: words }).nullable(),
  recordRotation: z.looseObject({ sequence: z.number(), nextDueAt: words.nullable() }),
};
const SHAPES: Partial<Record<Name, z.ZodType>> = { ...MORE, ...OTHERS, ...PROOFS };
const EVIDENCE = z.looseObject(evidence);

type Activities = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** @returns the same activities; one whose result has not its shape fails with `bad-result`, effect unknown. */
export function lookedAt<T extends object>(activities: T): T {
  return new Proxy(activities, {
    get:
      (target, name) =>
      async (...args: unknown[]) => {
        const activity = String(name);
        const result = await (target as Activities)[activity]?.(...args);
        if ((SHAPES[activity as Name] ?? EVIDENCE).safeParse(result).success) return result;
        throw answer(
          'bad-result',
          `${activity} was answered by something that is no result of it: nothing is known of what it did`,
          [
            {
              effect: 'unknown',
              hint: 'was it completed by hand (temporal activity complete)? look at the event in history, then at the world',
            },
          ],
        );
      },
  });
}
