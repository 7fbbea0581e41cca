/**
 * The rules of a decision, apart from how it arrives. Signals and updates ask the same question here, so they cannot differ:
 * only the open gate, only once, bound to the plan and the run where the decision says so, never by the requester unless
 * the policy allows it, and as many different people as the quorum asks for.
 */
import { formatMilliseconds, milliseconds } from './durations.js';
import { LONGEST_NOTE, type DecisionInput } from './messages.js';
import { remark } from './one-line.js';
import { maybeSamePerson, samePerson } from './person.js';
import type { ApprovalSpec } from './specs/policy.js';
import type { OpenGate } from './status.js';

export type Verdict = 'approve' | 'reject';

/** A gate that was decided, for the answer to whoever comes late. */
export interface ClosedGate {
  readonly name: string;
  readonly verdict: 'approved' | 'rejected' | 'expired';
  readonly by: string;
  readonly at: string;
}

/** What decided a gate: the approval that completed the quorum, a rejection, or the deadline. */
export type DecidedBy = { readonly by: string; readonly note: string | null } | 'quorum' | 'deadline';

/**
 * How a gate was decided, one sentence for the record. People who had approved before somebody else, or the deadline, decided
 * are named as that and not as deciders.
 */
export function decisionInWords(gate: OpenGate, verdict: ClosedGate['verdict'], decided: DecidedBy): string {
  const { name, approvals, approversNeeded, expiresAt } = gate;
  const people = approvals.map(saidBy).join(', ');
  const had = approvals.length === 0 ? '' : `${people} had approved (${approvals.length} of ${approversNeeded})`;
  if (decided === 'quorum') return `approved by ${people}`;
  if (decided !== 'deadline') return `"${name}" was rejected by ${saidBy(decided)}${had === '' ? '' : `; ${had}`}`;
  const quorum = had === '' ? 'nobody had decided' : `only ${had}`;
  return verdict === 'approved'
    ? `approved by the deadline ${expiresAt}, as the policy says: ${quorum}`
    : had === ''
      ? `nobody decided "${name}" by ${expiresAt}: denied`
      : `"${name}" was not approved by ${expiresAt}: denied; ${quorum}`;
}

/** As records quote people. */
export function saidBy({ by, note }: { readonly by: string; readonly note: string | null }): string {
  return note === null || note === '' ? by : `${by} (${remark(note, LONGEST_NOTE)})`;
}

export interface GateMoment {
  readonly open: OpenGate | null;
  readonly closed: readonly ClosedGate[];
  /** After a reset old signals are applied again, so a decision must then name the plan of this very run. */
  readonly mustNamePlan: boolean;
}

export function openGate(options: {
  name: string;
  question: string;
  plan: string;
  requester: string;
  policy: ApprovalSpec;
  now: number;
  afterDenial?: string;
}): OpenGate {
  const { policy, now } = options;
  return {
    name: options.name,
    question: options.question,
    plan: options.plan,
    openedAt: new Date(now).toISOString(),
    expiresAt: new Date(now + milliseconds(policy.expiresAfter)).toISOString(),
    onExpiry: policy.onExpiry,
    approvals: [],
    approversNeeded: policy.approvers,
    allowed: policy.allowed ?? null,
    requester: options.requester,
    requesterMayApprove: policy.requesterMayApprove,
    ...(options.afterDenial === undefined ? {} : { afterDenial: options.afterDenial }),
  };
}

/** Why this decision does not count now; `null` when it does. */
export function refusal(decision: DecisionInput, verdict: Verdict, moment: GateMoment): string | null {
  const { open, closed } = moment;
  if (!open) return tooEarlyOrTooLate(decision, closed);
  if (decision.gate !== undefined && decision.gate !== open.name) {
    const earlier = closed.find((gate) => gate.name === decision.gate);
    return earlier ? alreadyDecided(earlier) : `the open gate is "${open.name}", not "${decision.gate}"`;
  }
  if (decision.plan !== undefined && decision.plan !== open.plan) {
    return `the decision is bound to plan ${decision.plan}, this run's is ${open.plan}; look at the plan again and decide anew`;
  }
  if (moment.mustNamePlan && decision.plan === undefined) {
    return `this run was reset, so an old decision could arrive again: name the plan, "plan": "${open.plan}"`;
  }
  if (open.allowed && !open.allowed.some((person) => samePerson(person, decision.by))) {
    return `${decision.by} may not decide here; ${open.allowed.join(', ')} may`;
  }
  // Rejecting one's own request only stops it, which the requester may always do.
  if (verdict === 'approve' && !open.requesterMayApprove && maybeSamePerson(decision.by, open.requester)) {
    return `${decision.by} asked for this rotation, and the policy wants somebody else to approve it`;
  }
  if (verdict === 'approve' && open.approvals.some((approval) => maybeSamePerson(approval.by, decision.by))) {
    return `${decision.by} has approved already; ${open.approversNeeded} different people are needed`;
  }
  return null;
}

/** One sentence for people: who may decide. Saying no is open to more people than saying yes: the requester, whoever has approved. */
export function whoMayDecide(gate: OpenGate): string {
  const missing = gate.approversNeeded - gate.approvals.length;
  const quorum = gate.approversNeeded > 1 ? ` (${missing} of ${gate.approversNeeded} approvals missing)` : '';
  const no = gate.allowed?.join(' or ') ?? 'anyone';
  const yes = gate.allowed ? ofTheList(gate, gate.allowed) : anyoneBut(gate);
  if (yes === no) return `${yes}${quorum}`;
  return `${yes === null ? 'nobody is left to approve' : `${yes} may approve`}${quorum}; ${no} may reject`;
}

/** null: nobody of it. */
function ofTheList(gate: OpenGate, allowed: readonly string[]): string | null {
  const able = allowed.filter((person) => !mayNot(gate).some(({ who }) => maybeSamePerson(who, person)));
  return able.length > 0 ? able.join(' or ') : null;
}

function anyoneBut(gate: OpenGate): string {
  const not = mayNot(gate).map(({ who, why }) => `${who}, who ${why}`);
  return not.length > 0 ? `anyone but ${not.join(', and ')},` : 'anyone';
}

/** People whose approval would not count. */
function mayNot({ requester, requesterMayApprove, approvals }: OpenGate): { who: string; why: string }[] {
  const asked = requesterMayApprove ? [] : [{ who: requester, why: 'asked for it' }];
  return [...asked, ...approvals.map(({ by }) => ({ who: by, why: 'has approved already' }))];
}

/** Reminders double their distance (1 h, 2 h, 4 h …), so that a long wait stays a short history. */
export function nextReminder(policy: ApprovalSpec, sent: number): number {
  return milliseconds(policy.remindAfter) * 2 ** sent;
}

export function expiryText(policy: ApprovalSpec): string {
  return `${formatMilliseconds(milliseconds(policy.expiresAfter))}, then ${policy.onExpiry === 'deny' ? 'denied' : 'approved'}`;
}

function tooEarlyOrTooLate(decision: DecisionInput, closed: readonly ClosedGate[]): string {
  const last = decision.gate === undefined ? closed.at(-1) : closed.find((gate) => gate.name === decision.gate);
  return last ? alreadyDecided(last) : 'nothing waits for a decision yet: no gate is open';
}

function alreadyDecided(gate: ClosedGate): string {
  if (gate.verdict === 'expired') return `gate "${gate.name}" has expired: nobody had decided by ${gate.at}`;
  return `gate "${gate.name}" was ${gate.verdict} already, by ${gate.by} at ${gate.at}`;
}
