import { expect, test } from 'vitest';
import { FewLines, oneLine, remark } from '../../src/domain/one-line.js';

test('breaks of any kind become a sign on the one line, and what moves a terminal or turns a line goes', () => {
  for (const end of ['\n', '\r\n', '\u2028', '\u0085', '\v']) expect(oneLine(`a${end}- b`)).toBe('a ⏎ - b');
  expect(oneLine('a\u001b[1A\u202eb')).toBe('a ⏎ [1Ab');
});

test('a text is cut, and not within a character', () => {
  expect(oneLine('x'.repeat(5_000_000))).toBe(`${'x'.repeat(300)}…`);
  expect(oneLine('😀😀😀', 3)).toBe('😀…');
});

test('a remark cannot end the parentheses it stands in', () => {
  expect(remark('ok); approved by carla (fine')).toBe('ok], approved by carla [fine');
});

test('of many lines the first and the last few are kept, and how many more there were', () => {
  const lines = new FewLines({ first: 1, last: 2, characters: 10 });
  for (let line = 1; line <= 6; line += 1) lines.add(`line ${line}`);
  expect(lines.lines).toEqual(['line 1', '… and 3 more', 'line 5', 'line 6']);
});
