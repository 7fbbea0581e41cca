import { expect, test } from 'vitest';
import { excerpt } from '../../src/domain/diagnosis.js';
import { saidOf, type StepRecord } from '../../src/domain/report.js';

const logs = ['backend: running (unhealthy)', ...Array.from({ length: 80 }, (_, n) => `line ${n + 1}`)].join('\n');

test('an excerpt keeps the state and the last words, and says what it leaves out', () => {
  const lines = excerpt(logs, 5);
  expect(lines).toEqual([
    'backend: running (unhealthy)',
    '… (77 lines are left out here)',
    'line 78',
    'line 79',
    'line 80',
  ]);
  expect(excerpt(logs, 81)).toHaveLength(81);
  expect(excerpt('one line', 5)).toEqual(['one line']);
});

test('an undone step says why it had failed and how it stands now', () => {
  const undone: StepRecord = {
    name: 'Switch',
    state: 'undone',
    error: 'backend is not healthy',
    evidence: { summary: 'the old value serves again' },
  };
  expect(saidOf(undone)).toEqual(['backend is not healthy', 'the old value serves again']);
});
