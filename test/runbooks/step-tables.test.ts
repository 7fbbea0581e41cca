/** What holds of every runbook's step table, for every plan that it can be asked about. */
import { describe, expect, test } from 'vitest';
import type { RotationPlan } from '../../src/domain/plan.js';
import { isExposed, REASONS, type Reason } from '../../src/domain/reason.js';
import { approvalSpec, GATE_NAMES } from '../../src/domain/specs/policy.js';
import { outlineOf, stepTable, type StepOutline, type StepTable } from '../../src/domain/steps.js';
import { BACKUP_STEPS } from '../../src/runbooks/backup/steps.js';
import { PASSWORD_STEPS, SWAP_STEPS } from '../../src/runbooks/database-swap/steps.js';
import { ATOMIC_STEPS, ONLINE_STEPS } from '../../src/runbooks/encryption/steps.js';
import { RECOVERY_STEPS } from '../../src/runbooks/lost-key/steps.js';
import { SESSION_STEPS } from '../../src/runbooks/session/steps.js';
import type { Run } from '../../src/workflows/lib/run.js';
import { fullPlan, planOf, tokenProof } from '../workflows/support/plan.js';
import { columnPlan, recoveryPlan, swapPlan } from './support/plans.js';

const WINDOW = { opens: '0 3 * * 0', stays: '2h', timeZone: 'UTC' } as const;

/** Each with and without whatever a plan can have. */
function variants<P extends RotationPlan>(of: Partial<P>): P[] {
  const asked = (reason: Reason) => ({ requestId: 'run', operator: 'ana', reason, note: null });
  const plans = [
    planOf('S', 'q'),
    fullPlan('S', 'q'),
    fullPlan('S', 'q', { proof: tokenProof }),
    fullPlan('S', 'q', { overlap: null }),
    fullPlan('S', 'q', { overlap: null, revocation: null, proof: null, monitors: [], verify: [] }),
    fullPlan('S', 'q', { monitors: [], verify: [] }),
  ];
  return plans.flatMap((plan) =>
    REASONS.flatMap((reason) =>
      [null, WINDOW].flatMap((window) =>
        [[], [...GATE_NAMES]].map(
          (gates) =>
            ({ ...plan, ...asked(reason), window, approval: approvalSpec.parse({ gates }), ...of }) as unknown as P,
        ),
      ),
    ),
  );
}

/** For each plan, with the reason for it. */
const outlines = <P extends RotationPlan>(table: StepTable<P, string>, of: Partial<P>): Planned[] =>
  variants<P>(of).map((plan) => ({ reason: plan.reason, outline: outlineOf(table, plan) }));

interface Planned {
  readonly reason: Reason;
  readonly outline: StepOutline[];
}

const TABLES: Record<string, Planned[]> = {
  session: outlines(SESSION_STEPS, {}),
  'new role, copy': outlines(SWAP_STEPS, swapPlan('copy')),
  'new role, group': outlines(SWAP_STEPS, swapPlan('group')),
  'new password': outlines(PASSWORD_STEPS, swapPlan('same-role')),
  're-encrypt in one transaction': outlines(ATOMIC_STEPS, columnPlan('atomic')),
  're-encrypt online': outlines(ONLINE_STEPS, columnPlan('online')),
  'recover, keep': outlines(RECOVERY_STEPS, recoveryPlan('quarantine')),
  'recover, destroy': outlines(RECOVERY_STEPS, recoveryPlan('truncate')),
};

describe.each(Object.entries(TABLES))('%s', (_, all) => {
  test('begins with what changes nothing, and ends with the record', () => {
    for (const { outline } of all) {
      expect(outline[0]).toMatchObject({ key: 'prepare', undo: 'nothing to undo', ifNeeded: false });
      expect(outline.at(-1)).toMatchObject({ key: 'record', undo: 'forward' });
    }
  });

  test('has one point of no return: after it nothing can be undone', () => {
    for (const { outline } of all) expect(pointOfNoReturn(outline)).toBeGreaterThan(0);
  });

  test('begins its change before that, where it has one, and with a step that can be undone', () => {
    for (const { outline } of all) {
      const change = outline.filter(({ beginsChange }) => beginsChange);
      for (const { undo } of change) expect(undo).toBe('undone on failure');
    }
  });

  test('after a leak goes forward as soon as the new value is in use', () => {
    for (const { outline, reason } of all) {
      const change = outline.findLastIndex(({ beginsChange }) => beginsChange);
      if (change === -1 || !isExposed(reason)) continue;
      const following = outline.slice(change + 1).filter(({ ifNeeded }) => !ifNeeded);
      // Rows and services that belong to the change itself.
      const rest = following.filter(({ key }) => !['reencrypt', 'switch', 'signer'].includes(key));
      expect(rest.filter(({ undo }) => undo !== 'forward')).toEqual([]);
    }
  });

  test('names each step once, by key and title, and says something about what is foreseen', () => {
    for (const { outline } of all) {
      expect(new Set(outline.map(({ key }) => key)).size).toBe(outline.length);
      expect(new Set(outline.map(({ title }) => title)).size).toBe(outline.length);
      for (const { title, detail, ifNeeded } of outline) {
        expect(title).not.toMatch(/^$|undefined|null|NaN/);
        if (!ifNeeded) expect(detail).not.toMatch(/^$|undefined|null|NaN/);
      }
    }
  });

  test('destroys the old value only after all that could still need it', () => {
    for (const { outline } of all) {
      const order = outline.map(({ key }) => key);
      for (const earlier of ['sign', 'switch', 'expire', 'retire', 'verify', 'watch', 'prove', 'take-on', 'drop']) {
        if (order.includes(earlier)) expect(order.indexOf(earlier)).toBeLessThan(order.indexOf('forget'));
      }
    }
  });
});

/** Where it is. @throws for a table without one, and for one with a step behind it that can be undone. */
function pointOfNoReturn(outline: readonly StepOutline[]): number {
  const first = outline.findIndex(({ undo }) => undo === 'forward');
  if (first === -1) throw new Error('no point of no return');
  const behind = outline.slice(first).find(({ undo }) => undo !== 'forward');
  if (behind) throw new Error(`"${behind.key}" can be undone, behind the point of no return`);
  return first;
}

test('a table without a point of no return, or with a reversible step behind it, does not pass', () => {
  const step = { title: 'a step', detail: 'it does' };
  const none = stepTable()([{ ...step, key: 'one', undo: 'undone on failure' }]);
  expect(() => pointOfNoReturn(outlineOf(none, {}))).toThrow('no point of no return');
  const behind = stepTable()([
    { ...step, key: 'one', undo: 'forward' },
    { ...step, key: 'two', undo: 'undone on failure' },
  ]);
  expect(() => pointOfNoReturn(outlineOf(behind, {}))).toThrow('"two" can be undone');
});

test('a key that the table lacks does not compile', () => {
  const table = stepTable()([{ key: 'one', title: 'a step', detail: 'it does' }]);
  const asks = (run: Run<'one'>) => run.step('one', () => Promise.resolve({ summary: '' }));
  // @ts-expect-error no such step
  const asksForAnother = (run: Run<'one'>) => run.step('two', () => Promise.resolve({ summary: '' }));
  const needsMore = (run: Run<'one' | 'two'>) => run.has('two');
  // @ts-expect-error a run whose table has too few steps
  const hands = (run: Run<'one'>) => needsMore(run);
  expect([asks, asksForAnother, hands]).toHaveLength(3);
  expect(table.rows).toHaveLength(1);
});

test('a backup has nothing that could be taken back once it is proven', () => {
  expect(BACKUP_STEPS.rows.map(({ key }) => key)).toEqual(['check', 'make', 'prove', 'print', 'record']);
});
