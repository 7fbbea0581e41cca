/** Text from outside (people's notes, errors, log lines) inside Markdown: it shows as it is and can neither format nor link. */

import { cut } from './one-line.js';

/** On one line, shortened: line breaks would end a list's item. */
export function inline(text: string, length = Infinity): string {
  const line = cut(text.replace(/\s+/g, ' ').trim(), length);
  return (
    line
      .replace(/[\\`*[\]<>&~|]/g, '\\$&')
      // The renderer makes links of bare addresses, and a dash of two hyphens: `--pid-file` must stay what can be typed.
      .replaceAll('://', '\\://')
      .replace(/-(?=-)/g, '-\\')
      // SESSION_SECRET stays readable where the text is seen raw: inside a word an underscore means nothing.
      .replace(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, '\\_')
  );
}

/** In a code span, on one line. A code span takes no escapes, only a fence longer than any within. */
export function code(text: string, length = Infinity): string {
  const line = cut(text.replace(/\s+/g, ' ').trim(), length);
  const fence = fenceFor(line);
  const edge = line.startsWith('`') || line.endsWith('`') ? ' ' : '';
  return `${fence}${edge}${line}${edge}${fence}`;
}

function fenceFor(text: string): string {
  const runs = [...text.matchAll(/`+/g)].map(([run]) => run.length + 1);
  return '`'.repeat(Math.max(1, ...runs));
}
