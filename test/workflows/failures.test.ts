import { ActivityFailure, RetryState, TimeoutFailure, TimeoutType } from '@temporalio/common';
import { expect, test } from 'vitest';
import { hintOf, reasonOf } from '../../src/workflows/lib/failures.js';

const types = Object.values(TimeoutType);

test.for(types)('%s: a step that Temporal gave up says what that means and what to do', (type, { expect: claim }) => {
  const cause = new TimeoutFailure(`activity ${type} timeout`, undefined, type);
  const error = new ActivityFailure('Activity task timed out', 'deployService', '7', RetryState.TIMEOUT, 'x', cause);
  claim(reasonOf(error)).not.toContain('timeout');
  claim(hintOf(error)).toContain("the worker's log");
});

test('a lost worker leaves it open whether the step was done', () => {
  const cause = new TimeoutFailure('activity Heartbeat timeout', undefined, 'HEARTBEAT');
  const error = new ActivityFailure('Activity task timed out', 'deployService', '7', RetryState.TIMEOUT, 'x', cause);
  expect(reasonOf(error)).toContain('its worker was lost');
  expect(reasonOf(error)).toContain('it may have been done or not');
});
