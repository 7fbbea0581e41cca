/** What a person at a terminal needs at an open gate: the question, who may decide, and the exact command. */
import { formatMilliseconds } from '../domain/durations.js';
import { whoMayDecide } from '../domain/gate.js';
import { maybeSamePerson } from '../domain/person.js';
import type { OpenGate } from '../domain/status.js';
import { invocation, quoteArgument } from './invocation.js';

/** Bound to this gate and this plan, so that a copied command cannot decide something else later. */
export function decisionCommand(verb: 'approve' | 'reject', ref: string, gate: OpenGate): string {
  const who = suggestedApprover(gate);
  const as = who === null ? 'YOUR-NAME' : quoteArgument(who);
  return `${invocation()} ${verb} ${ref} --as ${as} --gate ${quoteArgument(gate.name)} --plan ${gate.plan}`;
}

export function gateLines(ref: string, gate: OpenGate, now = Date.now()): string[] {
  const left = Date.parse(gate.expiresAt) - now;
  const until = left > 0 ? `${gate.expiresAt} (in ${formatMilliseconds(left)})` : gate.expiresAt;
  return [
    `waits for a decision: ${gate.name}. ${gate.question}`,
    `  who      ${whoMayDecide(gate)}`,
    `  until    ${until}`,
    ...gate.approvals.map(({ by, note }) => `  approved by ${by}${note === null ? '' : `: ${note}`}`),
    `  approve  ${decisionCommand('approve', ref, gate)}`,
    `  reject   ${decisionCommand('reject', ref, gate)}`,
  ];
}

/** Somebody on the list who could still approve; `null` when anyone may, for then nobody is known by name. */
function suggestedApprover(gate: OpenGate): string | null {
  const able = (person: string): boolean =>
    (gate.requesterMayApprove || !maybeSamePerson(person, gate.requester)) &&
    !gate.approvals.some((approval) => maybeSamePerson(approval.by, person));
  return gate.allowed?.find(able) ?? null;
}
