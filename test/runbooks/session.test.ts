import { describe, expect, test } from 'vitest';
import type { RotationPlan } from '../../src/domain/plan.js';
import { approvalSpec } from '../../src/domain/specs/policy.js';
import { foreseenSteps } from '../../src/runbooks/index.js';
import { overlapMilliseconds, SESSION_STEPS } from '../../src/runbooks/session/steps.js';
import { outlineOf } from '../../src/domain/steps.js';
import { fullPlan, planOf, tokenProof } from '../workflows/support/plan.js';

const ASKED = { requestId: 'run', operator: 'ana', reason: 'routine', note: null } as const;
const plan = (changes: Partial<RotationPlan> = {}): RotationPlan => ({ ...planOf('S', 'q'), ...ASKED, ...changes });
const full = (changes: Partial<RotationPlan> = {}): RotationPlan => ({ ...fullPlan('S', 'q'), ...ASKED, ...changes });

const keys = (of: RotationPlan): string[] => foreseenSteps(of).map(({ key }) => key);
const step = (of: RotationPlan, key: string) => foreseenSteps(of).find((one) => one.key === key)!;

describe('the steps of a session secret', () => {
  test('a replacement switches once; only what the plan has is there', () => {
    expect(keys(plan())).toEqual(['prepare', 'stage', 'switch', 'forget', 'record']);
  });

  test('document 000: approve, replace, end all sessions, verify, watch, prove', () => {
    const of = full({ overlap: null, approval: approvalSpec.parse({ gates: ['promote'] }) });
    expect(keys(of)).toEqual([
      'prepare',
      'stage',
      'approve-promote',
      'switch',
      'revoke',
      'verify',
      'watch',
      'prove',
      'forget',
      'record',
    ]);
  });

  test('document 001: with overlap three deploys, the last only after everything signed with the old value has expired', () => {
    expect(keys(full({ revocation: null }))).toEqual([
      'prepare',
      'stage',
      'approve-promote',
      'accept',
      'sign',
      'signer',
      'verify',
      'watch',
      'expire',
      'approve-retire',
      'retire',
      'prove',
      'forget',
      'record',
    ]);
    // The proof of this plan presents the value itself: nothing that signs in is declared.
    expect(step(full(), 'signer').detail).toMatch(/^not proven: no proof that signs in is declared/);
    expect(keys(full({ kind: 'token' }))).not.toContain('signer');
    expect(step(full(), 'expire').detail).toBe('24h 5m after deploy 2 (token lifetime and clock skew)');
  });

  test('a leak has no overlap: the old value stops at once, and is proven dead', () => {
    const of = full({ overlap: null, reason: 'leak', decisions: ['reason is a leak: no overlap'] });
    expect(keys(of)).not.toContain('expire');
    expect(keys(of)).toEqual(expect.arrayContaining(['switch', 'revoke', 'prove', 'forget']));
    expect(keys(of).indexOf('revoke')).toBe(keys(of).indexOf('switch') + 1);
  });

  test('a maintenance window is waited for after the approval and before the first change', () => {
    const window = { opens: '0 3 * * 0', stays: '2h', timeZone: 'Europe/Berlin' };
    for (const [of, change] of [
      [full({ window }), 'accept'],
      [full({ window, overlap: null }), 'switch'],
    ] as const) {
      const order = keys(of);
      expect(order.indexOf('window')).toBe(order.indexOf('approve-promote') + 1);
      expect(order.indexOf('window')).toBe(order.indexOf(change) - 1);
    }
    expect(step(full({ window }), 'window').detail).toBe(
      '0 3 * * 0 (Europe/Berlin), open for 2h; every deploy begins while it is open',
    );
  });

  test('and again before the last deploy of an overlap, while that can still be undone', () => {
    const window = { opens: '0 3 * * 0', stays: '2h', timeZone: 'Europe/Berlin' };
    const order = keys(full({ window }));
    expect(order.slice(order.indexOf('approve-retire'), order.indexOf('prove'))).toEqual([
      'approve-retire',
      'window-retire',
      'retire',
    ]);
    expect(step(full({ window }), 'window-retire').undo).toBe('nothing to undo');
    expect(keys(full({ window, overlap: null }))).not.toContain('window-retire');
  });
});

describe('nothing is said that nobody has looked at', () => {
  const of = (plan: RotationPlan, key: string) => outlineOf(SESSION_STEPS, plan).find((one) => one.key === key)!;
  const unsigned = { kind: 'session', proof: null } as const;

  test('a step that cannot see who signs is not called a look at it', () => {
    expect(of(full(unsigned), 'signer').title).toBe('Which value the application signs with: not proven');
    expect(of(full({ ...unsigned, proof: tokenProof }), 'signer').title).toMatch(/^See that what is issued/);
  });

  test('a proof that was declared, and failed, is not said to be lacking', () => {
    const leak = { overlap: null, reason: 'leak' } as const;
    expect(of(full({ ...leak, proof: null }), 'take-on')).toMatchObject({ ifNeeded: false });
    expect(of(full({ ...leak, proof: null }), 'take-on').detail).toMatch(/^no proof is declared/);
    expect(of(full(leak), 'take-on')).toMatchObject({ ifNeeded: true });
    expect(of(full(leak), 'take-on').detail).not.toContain('no proof is declared');
  });

  test('a question that no policy foresaw is not said to be answered with yes by a deadline', () => {
    const approval = approvalSpec.parse({ gates: ['promote'], onExpiry: 'approve' });
    expect(of(full({ approval }), 'approve-promote').detail).toContain('then approved');
    expect(of(full({ approval }), 'settle-take-on').detail).toContain('then denied');
  });
});

describe('every outline', () => {
  const all = [
    plan(),
    full(),
    full({ overlap: null }),
    full({ revocation: null, proof: null, monitors: [], verify: [] }),
    full({ window: { opens: '0 3 * * 0', stays: '2h', timeZone: 'UTC' } }),
  ];

  test.each(all)('%# begins with what changes nothing and ends with the record', (of) => {
    const outline = foreseenSteps(of);
    expect(outline[0]).toMatchObject({ key: 'prepare', undo: 'nothing to undo' });
    expect(outline.at(-1)?.key).toBe('record');
  });

  test.each(all)('%# destroys the old value only after all that could still need it', (of) => {
    const order = keys(of);
    for (const earlier of ['sign', 'switch', 'expire', 'retire', 'verify', 'watch', 'prove']) {
      if (order.includes(earlier)) expect(order.indexOf(earlier)).toBeLessThan(order.indexOf('forget'));
    }
  });

  test.each(all)('%# names each step once, and says something about it', (of) => {
    const outline = foreseenSteps(of);
    expect(new Set(outline.map(({ title }) => title)).size).toBe(outline.length);
    for (const { detail } of outline) expect(detail).not.toMatch(/^$|undefined|null|NaN/);
  });
});

test('details name services, flows, quorum, deadline and the next date', () => {
  const of = full({ approval: approvalSpec.parse({ gates: ['promote'], approvers: 2, expiresAfter: '8h' }) });
  expect(step(of, 'prepare').detail).toContain('web, jobs healthy');
  expect(step(of, 'stage').detail).toBe('hex:32 for S');
  expect(step(of, 'approve-promote').detail).toBe('2 approval(s), 8h, then denied');
  expect(step(of, 'verify').detail).toBe('flow');
  expect(step(of, 'watch').title).toBe('Watch the monitors for 1m');
  expect(step(of, 'prove').detail).toMatch(/^value: /);
  expect(step(of, 'record').detail).toBe('next rotation due in 90d');
  expect(step(plan({ cadence: null }), 'record').detail).toBe('no cadence: no next date');
});

test('an overlap lasts as long as a token may live, and clocks may differ', () => {
  expect(overlapMilliseconds({ style: 'list', separator: ',', tokenLifetime: '24h', skew: '5m' })).toBe(86_700_000);
  expect(overlapMilliseconds({ style: 'previous', variable: 'OLD', tokenLifetime: '10s', skew: '0s' })).toBe(10_000);
});
