/** Every call of the runbooks that have no file of their own, disturbed in every way: whatever becomes of it, the invariants hold. */
import { describe, it } from 'vitest';
import { LONG_MS, matricesOf } from './support/every-step.js';

const FILED = ['rotateSessionSecret', 'swapDatabaseCredential', 'rotateEncryptionKey'];

describe.each(matricesOf(({ type }) => !FILED.includes(type)))('$name, $reason', ({ undisturbed, disturbed }) => {
  it('undisturbed completes', undisturbed);
  it('each call disturbed in each way, and each gate said no to: the invariants hold', disturbed, LONG_MS);
});
