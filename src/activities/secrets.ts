/** What a rotation does to the store. Each call is idempotent for one rotation, as the store's contract says. */
import type { Evidence } from '../domain/evidence.js';
import { KeyturnError } from '../domain/errors.js';
import { formatRef, type SecretRef } from '../domain/refs.js';
import type { SecretValue } from '../domain/secret-value.js';
import { shortFingerprint, type Arrangement, type Versions } from '../domain/slot.js';
import { generateValue } from '../stores/generate.js';
import { openStore } from '../stores/open-store.js';
import { assessStrength } from '../stores/strength.js';
import type { ActivityTools } from './as-activity.js';
import type { ActivityDeps } from './deps.js';
import { stagedByRun } from './earlier-run.js';
import type { Hold, Staging } from './rotation-activities.js';
import { sharedWith } from './uniqueness.js';

export async function stageSecret(
  hold: Hold & Staging,
  deps: ActivityDeps,
  { workflowId }: Pick<ActivityTools, 'workflowId'>,
): Promise<Evidence> {
  const value = generateValue(hold.generator, hold.ref.secret);
  await demandStrongAndUnlike(value, hold, deps);
  const { slot, rotation } = hold;
  // A value staged by an earlier attempt wins; the fresh one above is then simply dropped.
  const by = await stagedByRun(deps, { workflowId, reason: hold.reason });
  const versions = await openStore(slot.store, deps).stage(slot, rotation, () => value, by);
  return describe(`${slot.key} staged`, versions);
}

/**
 * `facts.changed` is false only when there was nothing to do. A repeated attempt cannot know: the one before it, whose answer was
 * lost, may have done it.
 */
export async function arrangeSecret(
  hold: Hold & { arrangement: Arrangement },
  deps: ActivityDeps,
  { sinceFirstAttempt }: Pick<ActivityTools, 'sinceFirstAttempt'>,
): Promise<Evidence> {
  const { slot, rotation, arrangement } = hold;
  const store = openStore(slot.store, deps);
  const before = await store.describe(slot);
  const { summary, facts } = describe(`${slot.key}: ${arrangement}`, await store.arrange(slot, rotation, arrangement));
  return { summary, facts: { ...facts, changed: sinceFirstAttempt > 0 || before.arrangement !== arrangement } };
}

export async function discardSecret({ slot, rotation }: Hold, deps: ActivityDeps): Promise<Evidence> {
  return describe('staged value discarded', await openStore(slot.store, deps).discard(slot, rotation));
}

export async function forgetPrevious({ slot, rotation }: Hold, deps: ActivityDeps): Promise<Evidence> {
  return describe('old value destroyed', await openStore(slot.store, deps).forget(slot, rotation));
}

async function demandStrongAndUnlike(
  value: SecretValue,
  { ref, generator, minimumLength }: { ref: SecretRef; generator: string; minimumLength: number },
  deps: ActivityDeps,
): Promise<void> {
  const identifiable = generator.startsWith('test:');
  const faults = [
    ...assessStrength(value, minimumLength, { allowTestValues: identifiable }),
    ...(await sharedWith(value, ref, deps)).map((other) => `the same as ${other}`),
  ];
  if (faults.length > 0) {
    throw new KeyturnError(
      'weak-value',
      `the new value for ${formatRef(ref)} is not good enough: ${faults.join(', ')}`,
      {
        hint: 'choose a stronger generator in the inventory',
      },
    );
  }
}

function describe(what: string, { current, pending, previous, arrangement }: Versions): Evidence {
  const facts = {
    arrangement,
    current: current?.fingerprint ?? null,
    pending: pending?.fingerprint ?? null,
    previous: previous?.fingerprint ?? null,
  };
  const present = (['current', 'pending', 'previous'] as const).filter((label) => facts[label] !== null);
  return {
    summary: `${what} (${present.map((label) => `${label} ${shortFingerprint(facts[label] ?? '')}`).join(', ')})`,
    facts,
  };
}
