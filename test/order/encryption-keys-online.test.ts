/** Every call of an online rotation of an encryption key, disturbed in every way: whatever becomes of it, the invariants hold. */
import { describe, it } from 'vitest';
import { LONG_MS, matricesOf } from './support/every-step.js';

describe.each(matricesOf(({ type, name }) => type === 'rotateEncryptionKey' && name.endsWith('online')))(
  '$name, $reason',
  ({ undisturbed, disturbed }) => {
    it('undisturbed completes', undisturbed);
    it('each call disturbed in each way, and each gate said no to: the invariants hold', disturbed, LONG_MS);
  },
);
