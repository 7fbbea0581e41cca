/**
 * The steps of `rotateSessionSecret`, in order; the workflow of the same name carries them out.
 * Sources: documents 000 (replace, revoke sessions), 001 (overlap, 24 h), 002 (verify log-in, refresh, impersonation).
 */
import { formatMilliseconds, milliseconds } from '../../domain/durations.js';
import type { RotationPlan } from '../../domain/plan.js';
import type { OverlapSpec } from '../../domain/specs/secret.js';
import { stepTable, type StepRow } from '../../domain/steps.js';
import {
  afterChange,
  deniedGate,
  gate,
  gateRow,
  lookingRows,
  names,
  recordRow,
  rolloutOf,
  endUnprovenRow,
  windowAgainRow,
  windowRow,
} from '../rows.js';

/** The longest a token signed with the old value can still be in use after every instance signs with the new one. */
export function overlapMilliseconds(overlap: OverlapSpec): number {
  return milliseconds(overlap.tokenLifetime) + milliseconds(overlap.skew);
}

interface Signing {
  readonly kind: RotationPlan['kind'];
  readonly overlap: object | null;
  readonly proof: { readonly type: string } | null;
}

/**
 * Whether it can be seen with which of two values the application signs: by signing in, and verifying here what is given.
 * null: it is no question, as of a token that is presented as it is.
 */
export function canSeeWhoSigns({ kind, overlap, proof }: Signing): boolean | null {
  if (!overlap) return null;
  if (proof && proof.type !== 'value') return true;
  return kind === 'token' ? null : false;
}

/** Where it cannot: for plan, checklist, report and ledger. */
export const SIGNER_NOT_SEEN =
  'not proven: no proof that signs in is declared, so nobody sees with which of the two values the application signs; one that signs with the old one is found out only when that is accepted no more, and then everyone is signed out';

const overlaps = ({ overlap }: RotationPlan): boolean => overlap !== null;
/** Deploys after which both values are accepted. */
const toBoth = { when: overlaps, detail: rolloutOf, undo: 'undone on failure', begins: 'change' } as const;

/** What an ended run left behind is settled first; which of these it takes is known once readiness has found it. */
const settling = <const K extends string>(key: K, title: string): StepRow<RotationPlan, K> => ({
  key,
  title,
  detail: '',
  when: () => 'if needed',
});

const SETTLEMENT = [
  { ...gate('approve-settle', 'settle', 'settle what an earlier run left behind'), when: () => 'if needed' as const },
  settling('settle-deploy', 'Earlier run: every service signs with its value'),
  settling('settle-wait', 'Earlier run: wait out its overlap'),
  settling('settle', 'Settle what an earlier run left behind'),
  settling('settle-verify', 'Earlier run: verify the flows'),
  settling('settle-prove', 'Earlier run: prove that its old value is refused'),
  {
    ...deniedGate('settle-take-on', 'settle-unproven', ''),
    title: 'Earlier run, approval: destroy its old value without a proof',
    when: () => 'if needed' as const,
  },
  settling('settle-forget', 'Earlier run: destroy its old value'),
  settling('settle-record', 'Earlier run: record it in the ledger'),
] as const;

export type SettlementKey = (typeof SETTLEMENT)[number]['key'];
export const SETTLEMENT_KEYS: readonly SettlementKey[] = SETTLEMENT.map(({ key }) => key);

export const SESSION_STEPS = stepTable<RotationPlan>()([
  {
    key: 'prepare',
    title: 'Check that everything is ready',
    detail: ({ services }) => `store writable, ${names(services)} healthy, ledger reachable; nothing is changed`,
  },
  ...SETTLEMENT,
  {
    key: 'rehearse',
    title: 'Try the proof with the value in use',
    detail: '',
    when: () => 'if needed',
  },
  {
    key: 'stage',
    title: 'Stage a new value',
    detail: ({ generator, slot }) => `${generator} for ${slot.key}`,
    undo: 'undone on failure',
  },
  gateRow('promote', 'use the new value'),
  windowRow('; every deploy begins while it is open'),
  {
    ...toBoth,
    key: 'switch',
    title: 'Switch to the new value',
    when: (plan) => !overlaps(plan),
  },
  { ...toBoth, key: 'accept', title: 'Deploy 1 of 3: accept the new value' },
  { ...toBoth, key: 'sign', title: 'Deploy 2 of 3: sign with the new value' },
  {
    key: 'signer',
    // Nothing that was not looked at is ticked off as seen.
    title: (plan) =>
      canSeeWhoSigns(plan)
        ? 'See that what is issued is signed with the new value'
        : 'Which value the application signs with: not proven',
    detail: ({ proof }) =>
      proof && proof.type !== 'value'
        ? `${proof.login}, several times; the signature is verified here`
        : SIGNER_NOT_SEEN,
    when: (plan) => canSeeWhoSigns(plan) !== null,
  },
  {
    key: 'revoke',
    title: 'End all sessions',
    detail: 'counted before and after',
    when: ({ revocation }) => revocation !== null,
    undo: afterChange,
  },
  ...lookingRows(),
  {
    key: 'expire',
    title: 'Wait until everything signed with the old value has expired',
    detail: ({ overlap }) =>
      overlap
        ? `${formatMilliseconds(overlapMilliseconds(overlap))} after deploy 2 (token lifetime and clock skew)`
        : '',
    when: overlaps,
    undo: afterChange,
  },
  gateRow('retire', 'stop accepting the old value', afterChange),
  windowAgainRow(overlaps),
  {
    key: 'retire',
    title: 'Deploy 3 of 3: stop accepting the old value',
    detail: rolloutOf,
    when: overlaps,
    undo: 'forward',
  },
  {
    key: 'prove',
    title: 'Prove that the old value is refused',
    detail: ({ proof }) =>
      `${proof?.type ?? ''}: made with the old value it must be refused, with the new one accepted`,
    when: ({ proof }) => proof !== null,
    undo: 'forward',
  },
  endUnprovenRow(({ proof }) => proof === null),
  {
    key: 'forget',
    title: 'Destroy the old value',
    detail: 'the previous version leaves the store',
    undo: 'forward',
  },
  recordRow,
]);
