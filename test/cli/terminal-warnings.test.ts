import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { terminalWarning } from '../../src/cli/terminal-warnings.js';

const workflowId = 'rotate:shop/production/SESSION_SECRET';
const failed = (message: string) => ({ workflowId, error: ApplicationFailure.nonRetryable(message, 'stopped') });

test.each<[string, Parameters<typeof terminalWarning>, string | null]>([
  [
    'of which run, and why',
    ['warn', 'Workflow failed', failed('stopped at "Prove": refused')],
    'warn: shop/production/SESSION_SECRET: Workflow failed: stopped at "Prove": refused',
  ],
  [
    'also what a run that leads others has taken over from one',
    [
      'warn',
      'Workflow failed',
      { workflowId, error: new Error('Child Workflow execution failed', { cause: new Error('x') }) },
    ],
    'warn: shop/production/SESSION_SECRET: Workflow failed: x',
  ],
  [
    'what an activity says',
    ['warn', 'web: sh restart.sh exited with 3', { workflowId, code: 'deploy-failed' }],
    'warn: shop/production/SESSION_SECRET: web: sh restart.sh exited with 3',
  ],
  [
    'that a person said no as no warning',
    ['warn', 'Workflow failed', failed('stopped at "X": "unproven" was rejected by ben')],
    'note: shop/production/SESSION_SECRET: Workflow failed: stopped at "X": "unproven" was rejected by ben',
  ],
  ['nothing of what an activity has said already', ['warn', 'Activity failed', failed('web: exited with 3')], null],
  [
    'what failed before an activity could say it',
    ['warn', 'Activity failed', { workflowId, error: new TypeError('x') }],
    'warn: shop/production/SESSION_SECRET: Activity failed: x',
  ],
  ['what is of no run', ['error', 'the ledger is gone'], 'error: the ledger is gone'],
  ['nothing while all is well', ['info', 'Worker state changed'], null],
])('at a terminal it is said %s', (_, args, expected) => {
  expect(terminalWarning(...args)).toBe(expected);
});
