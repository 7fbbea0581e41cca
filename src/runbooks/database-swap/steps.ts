/**
 * The steps of `swapDatabaseCredential`, in order: a new role in place of the old one, or a new password of the same role. The workflow
 * of the same name carries them out.
 * Sources: documents 003 (new user with the same grants, staging, production, 24 h, drop), 001 (create, test, deploy, health,
 * revoke), 000 and 002 (a password in place, for a user name that is fixed).
 */
import { milliseconds } from '../../domain/durations.js';
import type { PlannedSwap, RotationPlan } from '../../domain/plan.js';
import { isExposed } from '../../domain/reason.js';
import { stepTable, type StepRow, type Undo } from '../../domain/steps.js';
import {
  afterChange,
  gateRow,
  lookingRows,
  names,
  recordRow,
  rolloutOf,
  endUnprovenRow,
  takeOverRow,
  windowRow,
} from '../rows.js';

export type SwapPlan = RotationPlan & { readonly swap: PlannedSwap };
type Row<K extends string> = StepRow<SwapPlan, K>;

export function isSwap(plan: RotationPlan): plan is SwapPlan {
  return plan.swap !== null;
}

/** What a plan's old role is kept for, milliseconds. */
export function delayOf({ delay }: PlannedSwap): number {
  return milliseconds(delay);
}

/** Steps that name the new role: a run that goes on from another one's finds that one's. */
export function titlesOf(role: string): Readonly<Record<'create' | 'prove-new', string>> {
  return { create: `Create the role ${role}`, 'prove-new': `Prove the role ${role}` };
}

const exposed = ({ reason }: SwapPlan): boolean => isExposed(reason);
const unhurried = (plan: SwapPlan): boolean => !exposed(plan);
const onNodes = ({ swap }: SwapPlan): string => `on ${nodesOf(swap)}`;

const BEGINNING = [
  {
    key: 'prepare',
    title: 'Check that everything is ready',
    detail: ({ swap, services }) =>
      `administrator's rights, ${nodesOf(swap)}, store, ${names(services)}, ledger; nothing is changed`,
  },
  takeOverRow,
  {
    ...gateRow('wave', ''),
    title: ({ ref }) => `Approval: begin in ${ref.environment}`,
  },
  {
    key: 'stage',
    title: 'Stage a new credential',
    detail: ({ generator }) => `password by ${generator}, in the store before the server knows it`,
    undo: 'undone on failure',
  },
] as const satisfies readonly Row<string>[];

const SWITCH = {
  key: 'switch',
  title: 'Switch to the new credential',
  undo: 'undone on failure',
  begins: 'change',
} as const;

/** Of several that are led through together. After a leak none waits for another. */
const OTHERS = {
  key: 'others',
  title: 'Wait for the other environments',
  detail: '',
  when: (plan) => unhurried(plan) && 'if needed',
} as const satisfies Row<string>;

export const SWAP_STEPS = stepTable<SwapPlan>()([
  ...BEGINNING,
  {
    key: 'create',
    title: ({ swap }) => titlesOf(swap.newRole ?? '').create,
    detail: ({ swap }) =>
      swap.strategy === 'group'
        ? `member of ${swap.group ?? 'the role in use, which becomes a group'}`
        : 'a copy of every right, in every database',
    undo: 'undone on failure',
  },
  {
    key: 'prove-new',
    title: ({ swap }) => titlesOf(swap.newRole ?? '')['prove-new'],
    detail: ({ swap }) => `log in on ${nodesOf(swap)}, compare all rights, write and roll back`,
  },
  gateRow('promote', 'use the new credential'),
  windowRow(),
  { ...SWITCH, detail: rolloutOf },
  // After a leak the old role is shut out before anything else is looked at.
  ...shutOut(exposed, 'forward'),
  ...lookingRows(),
  OTHERS,
  {
    key: 'delay',
    title: ({ swap }) => `Keep the old role for ${swap.delay}`,
    detail: ({ swap }) => `who still uses it is asked every ${swap.watchEvery}`,
    when: unhurried,
  },
  {
    key: 'recompare',
    title: 'Compare the rights again',
    // To the new role, which goes as a whole if the run goes back.
    detail: 'what was granted or created meanwhile is carried over',
    undo: afterChange,
  },
  {
    key: 'stragglers',
    title: 'See that nobody is on the old role',
    detail: (plan) => `${onNodes(plan)}; else people decide: end them, wait on, or abort`,
    when: unhurried,
  },
  {
    ...gateRow('drop', 'drop the old role'),
    // Also where a wait was cut short, or somebody else has shut the role out.
    when: (plan) => unhurried(plan) && (plan.approval.gates.includes('drop') || 'if needed'),
  },
  ...shutOut(unhurried, 'undone on failure'),
  {
    key: 'drop',
    title: 'Drop the old role',
    detail: 'reassign, revoke, drop in every database that depends on it',
    undo: 'forward',
  },
  {
    key: 'prove',
    title: 'Prove that the old role is refused',
    detail: ({ swap }) => `log in with it on ${nodesOf(swap)}`,
    undo: 'forward',
  },
  endUnprovenRow(),
  {
    key: 'forget',
    title: 'Destroy the old credential',
    detail: 'the previous version leaves the store',
    undo: 'forward',
  },
  recordRow,
]);

export const PASSWORD_STEPS = stepTable<SwapPlan>()([
  ...BEGINNING,
  gateRow('promote', 'use the new credential'),
  windowRow(),
  {
    ...SWITCH,
    detail: ({ services }) => `store, new password on the server, then deploy and health of ${names(services)}`,
  },
  // Whoever came in by a password that others may have is out before anything else is looked at.
  endSessions(exposed),
  ...lookingRows(),
  OTHERS,
  {
    ...gateRow('drop', 'end the sessions of the old password, for good'),
    when: (plan) => unhurried(plan) && plan.approval.gates.includes('drop'),
  },
  endSessions(unhurried),
  {
    key: 'prove',
    title: 'Prove that the old password is refused',
    detail: 'log in with it, and with the new one',
    undo: 'forward',
  },
  endUnprovenRow(),
  {
    key: 'forget',
    title: 'Destroy the old password',
    detail: 'the previous version leaves the store',
    undo: 'forward',
  },
  recordRow,
]);

function shutOut(when: (plan: SwapPlan) => boolean, undo: Undo): readonly Row<'disable' | 'observe' | 'terminate'>[] {
  return [
    {
      key: 'disable',
      title: 'Shut the old role out',
      detail: 'NOLOGIN: open sessions go on, new ones are refused',
      when,
      undo,
    },
    {
      key: 'observe',
      title: ({ swap }) => `Watch for rejected log-ins for ${swap.observe}`,
      detail: 'whoever still needs the old role is refused now',
      when: (plan) => when(plan) && unhurried(plan),
    },
    {
      key: 'terminate',
      title: 'End the sessions that are left',
      detail: onNodes,
      when,
      undo: undo === 'forward' ? 'forward' : 'nothing to undo',
    },
  ];
}

function endSessions(when: (plan: SwapPlan) => boolean): Row<'terminate'> {
  return {
    key: 'terminate',
    title: 'End the sessions of the old password',
    detail: 'those that were opened before the change',
    when,
    undo: 'forward',
  };
}

function nodesOf({ server }: PlannedSwap): string {
  return ['primary', ...server.replicas.map(({ name }) => name)].join(', ');
}
