/** Every call of a database credential’s swap, disturbed in every way: whatever becomes of it, the invariants hold. */
import { describe, it } from 'vitest';
import { WORKFLOW_TYPES } from '../../src/domain/messages.js';
import { LONG_MS, matricesOf } from './support/every-step.js';

describe.each(matricesOf(({ type }) => type === WORKFLOW_TYPES.database))(
  '$name, $reason',
  ({ undisturbed, disturbed }) => {
    it('undisturbed completes', undisturbed);
    it('each call disturbed in each way, and each gate said no to: the invariants hold', disturbed, LONG_MS);
  },
);
