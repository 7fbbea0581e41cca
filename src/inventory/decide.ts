/**
 * What the reason for a rotation changes. Document 000: rotate immediately when a secret may have been exposed, unauthorised
 * access is suspected, or somebody with access leaves; on a leak also revoke sessions. Document 002: otherwise prefer a
 * maintenance window. Documents 001 and 003: an overlap spares users, but keeps the old value accepted, which a leak forbids.
 */
import { isExposed, type Reason } from '../domain/reason.js';
import { canSeeWhoSigns, SIGNER_NOT_SEEN } from '../runbooks/session/steps.js';
import type { GateName, WindowSpec } from '../domain/specs/policy.js';
import type { OverlapSpec } from '../domain/specs/secret.js';
import type { FoundSecret } from './find.js';
import { encryptionInWords } from './decide-encryption.js';
import { swapInWords } from './decide-swap.js';
import { keepsOld, REASON_IN_WORDS } from './keeps-old.js';
import { generatorOf, type MergedSecret } from './merge.js';

export interface Decisions {
  readonly overlap: OverlapSpec | null;
  readonly revoke: boolean;
  readonly window: WindowSpec | null;
  readonly gates: readonly GateName[];
  /** For people, one sentence each. */
  readonly inWords: readonly string[];
}

export function decide(found: FoundSecret, reason: Reason): Decisions {
  const { environment, secret } = found;
  const database = secret.kind === 'database';
  const encryption = secret.kind === 'encryption';
  const why = REASON_IN_WORDS[reason];
  const overlap = keepsOld(secret, reason) ? secret.overlap : null;
  const revoke = secret.revokeSessions !== null && (secret.revokeSessions.when === 'always' || isExposed(reason));
  const window = reason === 'routine' ? secret.maintenanceWindow : null;
  const gates = secret.approval.gates.filter((gate) => !isExposed(reason) || !keepsOldFor(gate, secret));
  const said = [
    secret.generator === undefined && `no generator is named: ${generatorOf(secret)}`,
    ...(database
      ? swapInWords(found, reason)
      : encryption
        ? encryptionInWords(found)
        : [overlapInWords(secret, overlap, why), revocationInWords(secret, revoke, reason, why)]),
    !database &&
      gates.length < secret.approval.gates.length &&
      `${why}: the old value is not kept for the gate "retire"`,
    secret.maintenanceWindow && !window && `${why}: the maintenance window is not waited for`,
    !database &&
      !encryption &&
      !secret.proof &&
      `no proof is declared: the run will say "not proven"${isExposed(reason) ? ', and ends stopped unless somebody takes that on at the gate "unproven"' : ''}`,
    !database &&
      !encryption &&
      canSeeWhoSigns({ kind: secret.kind, overlap, proof: secret.proof }) === false &&
      `with which of the two values the application signs is ${SIGNER_NOT_SEEN}`,
    secret.cadence === null && 'no cadence is declared: no next date will be recorded',
    ...inClearText(found),
    policyInWords(environment.name, secret),
    secret.critical && `critical: ${secret.ifLost ?? 'its loss or leak cannot be undone'}`,
    secret.notes && `note: ${secret.notes}`,
  ];
  return { overlap, revoke, window, gates, inWords: said.filter((text): text is string => typeof text === 'string') };
}

/** What others may have is not kept for a decision. Rows are: an old key is destroyed by leave also after a leak. */
function keepsOldFor(gate: GateName, { kind }: MergedSecret): boolean {
  return gate === 'drop' || (gate === 'retire' && kind !== 'encryption');
}

/** What the inventory gives up on the way to other hosts. */
function inClearText({ environment }: FoundSecret): string[] {
  const databases = [...environment.databases].flatMap(([name, { value }]) =>
    value.tls === undefined
      ? []
      : [
          `database "${name}": ${value.tls === 'off' ? 'not encrypted, as the inventory says (tls: off)' : 'its certificate is not verified, as the inventory says'}`,
        ],
  );
  const passwords = [...environment.databases].flatMap(([name, { value }]) =>
    value.passwords === 'plaintext'
      ? [
          `database "${name}": passwords of roles are sent in clear, as the inventory says (passwords: plaintext), and stand wherever the server writes statements down: log_statement, log_min_duration_statement, log_min_error_statement, pg_stat_statements, pgaudit`,
        ]
      : [],
  );
  const checks = [...environment.checks].flatMap(([name, { value }]) => {
    const requests = value.type === 'http' ? [value] : value.type === 'http-flow' ? value.steps : [];
    return requests.some(({ plaintext }) => plaintext === 'allowed')
      ? [`check "${name}" may send credentials over http://, as the inventory says`]
      : [];
  });
  return [...databases, ...passwords, ...checks];
}

function overlapInWords(secret: MergedSecret, overlap: OverlapSpec | null, why: string): string | false {
  if (secret.overlap && !overlap) return `${why}: no overlap, the old value stops being accepted at once`;
  if (overlap)
    return `the old value stays accepted for ${overlap.tokenLifetime} and ${overlap.skew} of skew, then it is retired`;
  if (secret.kind === 'token')
    return 'no overlap is declared: whoever holds the old value is refused until it has the new one';
  return 'no overlap is declared: everyone signs in again';
}

function revocationInWords(secret: MergedSecret, revoke: boolean, reason: Reason, why: string): string | false {
  const declared = secret.revokeSessions;
  if (revoke) return declared?.when === 'always' ? 'sessions are revoked, as always' : `${why}: sessions are revoked`;
  if (declared) return `sessions are revoked after a leak or a suspicion only, and ${why}: they are kept`;
  return isExposed(reason) && secret.kind !== 'token' && `${why}, and no session revocation is declared: none is done`;
}

function policyInWords(environment: string, secret: MergedSecret): string | false {
  const [top, , third] = secret.placeOf('approval');
  return top === 'environments' && third === 'approval' && `approvals as the environment "${environment}" asks for`;
}
