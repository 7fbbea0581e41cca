/** A plan with every optional step, to be thinned out by the tests. */
import type { RotationPlan } from '../../../src/domain/plan.js';
import { approvalSpec } from '../../../src/domain/specs/policy.js';

type Given = Omit<RotationPlan, 'requestId' | 'operator' | 'reason' | 'note'>;

export function planOf(secret: string, taskQueue: string, changes: Partial<Given> = {}): Given {
  return {
    ref: { system: 'shop', environment: 'production', secret },
    kind: 'session',
    method: 'replace',
    taskQueue,
    inventoryFile: 'shop.yaml',
    command: 'keyturn',
    slot: { store: { type: 'dotenv', file: '/nowhere/.env' }, key: secret, exposure: { style: 'single' } },
    generator: 'hex:32',
    minimumLength: 32,
    cadence: '90d',
    overlap: null,
    services: [
      { name: 'web', deploy: { type: 'command', argv: ['true'], directory: '.', timeout: '1m' }, health: [] },
      { name: 'jobs', deploy: { type: 'command', argv: ['true'], directory: '.', timeout: '1m' }, health: [] },
    ],
    verify: [],
    monitors: [],
    watch: '1m',
    revocation: null,
    proof: null,
    swap: null,
    encryption: null,
    window: null,
    approval: approvalSpec.parse({}),
    decisions: [],
    digest: 'abcdefabcdef',
    ...changes,
  };
}

const check = {
  name: 'flow',
  type: 'command' as const,
  argv: ['true'],
  timeout: '1s',
  passes: 1,
  every: '1s',
  within: '1s',
  expect: { exitCode: 0 },
};

const sent = { method: 'GET', url: 'http://127.0.0.1/', timeout: '1s' } as const;

/** A proof that signs in. */
export const tokenProof: NonNullable<RotationPlan['proof']> = {
  type: 'jwt',
  login: 'sign-in',
  capture: 'token',
  accepted: [200],
  refused: [401],
  request: sent,
  flow: {
    name: 'sign-in',
    type: 'http-flow',
    steps: [{ name: 'log in', ...sent }],
    passes: 1,
    every: '1s',
    within: '1s',
  },
};

/** Every step there is: overlap, both gates, revocation, flows, monitors, proof. */
export function fullPlan(secret: string, taskQueue: string, changes: Partial<Given> = {}): Given {
  return planOf(secret, taskQueue, {
    method: 'overlap (list)',
    overlap: { style: 'list', separator: ',', tokenLifetime: '24h', skew: '5m' },
    verify: [check],
    monitors: [{ name: 'flow', type: 'check', check, every: '1s', failuresAllowed: 0, onlyWithOverlap: false }],
    revocation: { database: { env: 'X' }, count: 'select 1', revoke: 'select 1' },
    proof: {
      type: 'value',
      accepted: [200],
      refused: [401],
      request: sent,
    },
    approval: approvalSpec.parse({ gates: ['promote', 'retire'] }),
    ...changes,
  });
}
