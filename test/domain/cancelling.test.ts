import { expect, test } from 'vitest';
import {
  cancellationUnderWay,
  cancellingInWords,
  isHarmless,
  NOTHING_BEGUN,
  type Cancellation,
  type IfCancelled,
} from '../../src/domain/cancelling.js';

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

const AT = '2026-11-21T10:00:00.000Z';
const BEING_UNDONE: IfCancelled = { comes: 'too late', why: 'it is being undone already' };
test.each<[string, Cancellation, IfCancelled, string]>([
  [
    'before it is heeded',
    { by: 'ana', at: AT, tooLate: null },
    NOTHING_BEGUN,
    `cancellation asked for by ana, at ${AT}; what is under way ends first`,
  ],
  [
    'while all is undone',
    { by: 'ana (ticket 42)', at: AT, tooLate: null },
    BEING_UNDONE,
    `cancellation asked for by ana (ticket 42), at ${AT}`,
  ],
  [
    'where it came too late',
    { by: null, at: AT, tooLate: 'it only goes forward' },
    { comes: 'too late', why: 'it only goes forward' },
    `cancellation asked for, at ${AT}, too late: it only goes forward`,
  ],
])('a cancellation that was asked for is told %s', (_, cancellation, now, words) => {
  expect(cancellationUnderWay(cancellation, now)).toBe(words);
});
