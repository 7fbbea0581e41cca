import { describe, expect, test } from 'vitest';
import {
  decisionInWords,
  expiryText,
  nextReminder,
  openGate,
  refusal,
  whoMayDecide,
  type ClosedGate,
  type DecidedBy,
  type GateMoment,
  type Verdict,
} from '../../src/domain/gate.js';
import type { DecisionInput } from '../../src/domain/messages.js';
import { samePerson } from '../../src/domain/person.js';
import { approvalSpec, type ApprovalSpec } from '../../src/domain/specs/policy.js';
import type { OpenGate } from '../../src/domain/status.js';

const NOW = Date.parse('2026-11-21T10:00:00Z');
const PLAN = 'abcdefabcdef@01234567';

function gate(policy: Partial<ApprovalSpec> = {}, approvedBy: readonly string[] = []): OpenGate {
  const opened = openGate({
    name: 'promote',
    question: 'Use the new value?',
    plan: PLAN,
    requester: 'ana@example.test',
    policy: { ...approvalSpec.parse({}), ...policy },
    now: NOW,
  });
  return { ...opened, approvals: approvedBy.map((by) => ({ by, at: opened.openedAt, note: null })) };
}

const moment = (open: OpenGate | null, rest: Partial<GateMoment> = {}): GateMoment => ({
  open,
  closed: [],
  mustNamePlan: false,
  ...rest,
});

const approved: ClosedGate = { name: 'promote', verdict: 'approved', by: 'ben', at: '2026-11-21T10:05:00.000Z' };
const expired: ClosedGate = { name: 'retire', verdict: 'expired', by: 'the deadline', at: '2026-11-22T10:05:00.000Z' };
const retire = { ...gate(), name: 'retire' };
const two = gate({ approvers: 2 }, ['Ben']);
const listed = gate({ allowed: ['ben', 'carla'] });

describe('a decision counts', () => {
  test.each<[string, Verdict, DecisionInput, GateMoment]>([
    ['from anyone who did not ask', 'approve', { by: 'ben' }, moment(gate())],
    ['when it names the open gate', 'approve', { by: 'ben', gate: 'promote' }, moment(gate())],
    ['when it names the plan of this run', 'approve', { by: 'ben', plan: PLAN }, moment(gate())],
    [
      'in a reset run that names its new plan',
      'approve',
      { by: 'ben', plan: PLAN },
      moment(gate(), { mustNamePlan: true }),
    ],
    [
      'from the requester where the policy says so',
      'approve',
      { by: 'ana@example.test' },
      moment(gate({ requesterMayApprove: true })),
    ],
    ['when the requester stops their own request', 'reject', { by: 'ana@example.test' }, moment(gate())],
    ['from somebody on the list', 'approve', { by: 'carla' }, moment(listed)],
    ['however somebody on the list writes their name', 'approve', { by: ' CARLA ' }, moment(listed)],
    ['from the second of two approvers', 'approve', { by: 'carla' }, moment(two)],
    ['as a no from somebody who has said yes before', 'reject', { by: 'ben' }, moment(two)],
    [
      'at the second gate after the first was decided',
      'approve',
      { by: 'ben' },
      moment(retire, { closed: [approved] }),
    ],
  ])('%s', (_case, verdict, decision, at) => {
    expect(refusal(decision, verdict, at)).toBeNull();
  });
});

describe('a decision is refused', () => {
  const asked = 'asked for this rotation, and the policy wants somebody else to approve it';
  test.each<[string, Verdict, DecisionInput, GateMoment, string]>([
    [
      'before any gate is open',
      'approve',
      { by: 'ben' },
      moment(null),
      'nothing waits for a decision yet: no gate is open',
    ],
    [
      'for a gate that is not open yet',
      'approve',
      { by: 'ben', gate: 'retire' },
      moment(null, { closed: [approved] }),
      'nothing waits for a decision yet: no gate is open',
    ],
    [
      'when it comes again',
      'approve',
      { by: 'ben' },
      moment(null, { closed: [approved] }),
      'gate "promote" was approved already, by ben at 2026-11-21T10:05:00.000Z',
    ],
    [
      'after the deadline',
      'approve',
      { by: 'ben' },
      moment(null, { closed: [approved, expired] }),
      'gate "retire" has expired: nobody had decided by 2026-11-22T10:05:00.000Z',
    ],
    [
      'for an earlier gate, while another is open',
      'reject',
      { by: 'ben', gate: 'promote' },
      moment(retire, { closed: [approved] }),
      'gate "promote" was approved already, by ben at 2026-11-21T10:05:00.000Z',
    ],
    [
      'for a gate that there is not',
      'approve',
      { by: 'ben', gate: 'promte' },
      moment(gate()),
      'the open gate is "promote", not "promte"',
    ],
    [
      'when it is bound to another plan',
      'approve',
      { by: 'ben', plan: 'abcdefabcdef@ffffffff' },
      moment(gate()),
      `the decision is bound to plan abcdefabcdef@ffffffff, this run's is ${PLAN}; look at the plan again and decide anew`,
    ],
    [
      'when a no is bound to another plan',
      'reject',
      { by: 'ben', plan: 'x' },
      moment(gate()),
      `the decision is bound to plan x, this run's is ${PLAN}; look at the plan again and decide anew`,
    ],
    [
      'in a reset run unless it names the plan',
      'approve',
      { by: 'ben' },
      moment(gate(), { mustNamePlan: true }),
      `this run was reset, so an old decision could arrive again: name the plan, "plan": "${PLAN}"`,
    ],
    [
      'from somebody who is not on the list',
      'approve',
      { by: 'dora' },
      moment(listed),
      'dora may not decide here; ben, carla may',
    ],
    [
      'as a no from somebody who is not on the list',
      'reject',
      { by: 'dora' },
      moment(listed),
      'dora may not decide here; ben, carla may',
    ],
    ['from the requester', 'approve', { by: 'ana@example.test' }, moment(gate()), `ana@example.test ${asked}`],
    [
      'from the requester in other letters',
      'approve',
      { by: ' Ana@Example.test' },
      moment(gate()),
      ` Ana@Example.test ${asked}`,
    ],
    [
      'from the requester, also on the list',
      'approve',
      { by: 'ana@example.test' },
      moment(gate({ allowed: ['ana@example.test', 'ben'] })),
      `ana@example.test ${asked}`,
    ],
    [
      'from one person twice',
      'approve',
      { by: 'BEN' },
      moment(two),
      'BEN has approved already; 2 different people are needed',
    ],
  ])('%s', (_case, verdict, decision, at, expected) => {
    expect(refusal(decision, verdict, at)).toBe(expected);
  });
});

describe('who may decide', () => {
  test.each<[OpenGate, string]>([
    [gate(), 'anyone but ana@example.test, who asked for it, may approve; anyone may reject'],
    [gate({ requesterMayApprove: true }), 'anyone'],
    [listed, 'ben or carla'],
    [gate({ allowed: ['ben', 'Ana@example.test'] }), 'ben may approve; ben or Ana@example.test may reject'],
    [gate({ allowed: ['ana@example.test', 'ben'], requesterMayApprove: true }), 'ana@example.test or ben'],
    [
      gate({ approvers: 2 }),
      'anyone but ana@example.test, who asked for it, may approve (2 of 2 approvals missing); anyone may reject',
    ],
    [
      two,
      'anyone but ana@example.test, who asked for it, and Ben, who has approved already, may approve (1 of 2 approvals missing); anyone may reject',
    ],
    [
      gate({ allowed: ['ben', 'carla', 'dora'], approvers: 2 }, ['BEN']),
      'carla or dora may approve (1 of 2 approvals missing); ben or carla or dora may reject',
    ],
    [gate({ allowed: ['Ana@example.test'] }), 'nobody is left to approve; Ana@example.test may reject'],
  ])('%#', (open, expected) => {
    expect(whoMayDecide(open)).toBe(expected);
  });

  test('the requester may say no, as it is said', () => {
    const decision = { by: 'ana@example.test' };
    const moment = { open: gate(), closed: [], mustNamePlan: false };
    expect(refusal(decision, 'approve', moment)).not.toBeNull();
    expect(refusal(decision, 'reject', moment)).toBeNull();
  });
});

test.each([
  ['ana', 'ana', true],
  [' Ana ', 'aNA', true],
  ['jos\u00e9@example.test', 'JOSE\u0301@example.test', true],
  ['ﬁona@example.test', 'fiona@example.test', true],
  ['ana', 'anna', false],
  ['ana', 'ana@example.test', false],
])('"%s" and "%s" are the same person: %s', (one, other, same) => {
  expect(samePerson(one, other)).toBe(same);
});

const CAT = { by: 'cat', note: 'no' };
const UNTIL = '2026-11-22T10:00:00.000Z';
test.each<[OpenGate, ClosedGate['verdict'], DecidedBy, string]>([
  [gate({}, ['ben']), 'approved', 'quorum', 'approved by ben'],
  [gate({ approvers: 2 }, ['ben', 'cat']), 'approved', 'quorum', 'approved by ben, cat'],
  [gate(), 'rejected', CAT, '"promote" was rejected by cat (no)'],
  [two, 'rejected', CAT, '"promote" was rejected by cat (no); Ben had approved (1 of 2)'],
  [gate(), 'expired', 'deadline', `nobody decided "promote" by ${UNTIL}: denied`],
  [two, 'expired', 'deadline', `"promote" was not approved by ${UNTIL}: denied; only Ben had approved (1 of 2)`],
  [gate(), 'approved', 'deadline', `approved by the deadline ${UNTIL}, as the policy says: nobody had decided`],
  [
    two,
    'approved',
    'deadline',
    `approved by the deadline ${UNTIL}, as the policy says: only Ben had approved (1 of 2)`,
  ],
])('who decided is told from who had approved (%#)', (open, verdict, decided, expected) => {
  expect(decisionInWords(open, verdict, decided)).toBe(expected);
});

test('a gate is open from now until the policy says, with nothing decided', () => {
  expect(gate({ expiresAfter: '90m', approvers: 2, allowed: ['ben', 'carla'] })).toEqual({
    name: 'promote',
    question: 'Use the new value?',
    plan: PLAN,
    openedAt: '2026-11-21T10:00:00.000Z',
    expiresAt: '2026-11-21T11:30:00.000Z',
    onExpiry: 'deny',
    approvals: [],
    approversNeeded: 2,
    allowed: ['ben', 'carla'],
    requester: 'ana@example.test',
    requesterMayApprove: false,
  });
});

test('reminders come after 1 h, then 2, 4, 8 …', () => {
  const policy = approvalSpec.parse({ remindAfter: '1h' });
  expect([0, 1, 2, 3].map((sent) => nextReminder(policy, sent) / 3_600_000)).toEqual([1, 2, 4, 8]);
});

test('what happens at the deadline is said', () => {
  expect(expiryText(approvalSpec.parse({}))).toBe('24h, then denied');
  expect(expiryText(approvalSpec.parse({ expiresAfter: '7d', onExpiry: 'approve' }))).toBe('7d, then approved');
});
