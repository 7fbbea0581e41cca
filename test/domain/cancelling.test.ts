import { expect, test } from 'vitest';
import { cancellingInWords, isHarmless, NOTHING_BEGUN, type IfCancelled } from '../../src/domain/cancelling.js';

test.each<[IfCancelled, string, boolean]>([
  [NOTHING_BEGUN, 'nothing is to be undone', true],
  [
    { comes: 'undone', undoes: ['Switch', 'Stage'], stays: ['the sessions that were ended stay ended'] },
    'it undoes "Switch", then "Stage", but the sessions that were ended stay ended',
    false,
  ],
  [
    { comes: 'undone', undoes: [], stays: ['the backup is made and proven: it counts'] },
    'nothing is to be undone, but the backup is made and proven: it counts',
    true,
  ],
  [
    { comes: 'half done', todo: 'deploy web by hand' },
    'it stops half done, and leaves to a person: deploy web by hand',
    false,
  ],
  [{ comes: 'too late', why: 'it only goes forward' }, 'it comes too late: it only goes forward', false],
])('%j is told in words, and whether anybody has to think twice', (ifCancelled, words, harmless) => {
  expect(cancellingInWords(ifCancelled)).toBe(words);
  expect(isHarmless(ifCancelled)).toBe(harmless);
});
