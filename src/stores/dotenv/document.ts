/**
 * A dotenv file as text with places: every byte stays where it is, and a change is a splice. Knows comments, `export`,
 * quotes (also over several lines), inline comments and both line ends. How programs read it is agreement.ts's business.
 */
export type QuoteStyle = 'none' | 'single' | 'double' | 'backtick';

export interface Assignment {
  readonly key: string;
  /** `KEY=value`; or `KEY: value` or a bare `KEY`, which only some programs understand. */
  readonly form: 'equals' | 'colon' | 'bare';
  readonly line: number;
  /** Where its text begins and where the next line begins. */
  readonly start: number;
  readonly end: number;
  /** The value as written, with its quotes. */
  readonly raw: { readonly start: number; readonly end: number; readonly text: string };
  readonly style: QuoteStyle;
  readonly exported: boolean;
}

const HEAD = /[ \t\uFEFF]*(export[ \t]+)?([A-Za-z_][\w.-]*)(?:[ \t]*(=)[ \t]*|(:)[ \t]+|(?=[ \t]*(?:\r?\n|$)))/y;
const REST = /[^\n]*\n?/y;
const QUOTED: Readonly<Record<string, readonly [QuoteStyle, RegExp]>> = {
  "'": ['single', /'(?:\\'|[^'])*'/y],
  '"': ['double', /"(?:\\[\s\S]|[^"\\])*"/y],
  '`': ['backtick', /`(?:\\`|[^`])*`/y],
};
/** After a quoted value only a comment may stand; otherwise the quotes are part of a bare value. */
const AFTER_QUOTES = /[ \t]*(?:#[^\n]*)?(?:\r?\n|\r?$)/y;

export function parseEnvText(text: string): readonly Assignment[] {
  const found: Assignment[] = [];
  let line = 1;
  let at = 0;
  while (at < text.length) {
    const assignment = assignmentAt(text, at, line);
    const end = assignment?.end ?? match(REST, text, at)?.end ?? text.length;
    if (assignment) found.push(assignment);
    for (
      let newline = text.indexOf('\n', at);
      newline !== -1 && newline < end;
      newline = text.indexOf('\n', newline + 1)
    ) {
      line += 1;
    }
    at = end;
  }
  return found;
}

/** Puts `raw` where the value of `assignment` stands. */
export function replaceRaw(text: string, assignment: Assignment, raw: string): string {
  return text.slice(0, assignment.raw.start) + raw + text.slice(assignment.raw.end);
}

/** Adds a line below `assignment`, exported and ended as that one is. */
export function insertBelow(text: string, assignment: Assignment, key: string, raw: string): string {
  const line = `${assignment.exported ? 'export ' : ''}${key}=${raw}`;
  const ended = lineEnd(text.slice(assignment.start, assignment.end));
  const newline = ended || (text.includes('\r\n') ? '\r\n' : '\n');
  return text.slice(0, assignment.end) + (ended ? line + ended : newline + line) + text.slice(assignment.end);
}

/** Takes a line out: the exact reverse of `insertBelow`, also where the file does not end in a newline. */
export function removeLine(text: string, assignment: Assignment): string {
  const before = text.slice(0, assignment.start);
  const own = text.slice(assignment.start, assignment.end);
  return (lineEnd(own) ? before : before.slice(0, before.length - lineEnd(before).length)) + text.slice(assignment.end);
}

function lineEnd(text: string): string {
  return /\r?\n$/.exec(text)?.[0] ?? '';
}

function assignmentAt(text: string, start: number, line: number): Assignment | undefined {
  const head = match(HEAD, text, start);
  const key = head?.groups[2];
  if (!head || key === undefined) return undefined;
  const form = head.groups[3] ? 'equals' : head.groups[4] ? 'colon' : 'bare';
  const value = valueAt(text, head.end);
  return {
    key,
    form,
    line,
    start,
    end: match(REST, text, value.end)?.end ?? text.length,
    raw: { start: head.end, end: value.end, text: text.slice(head.end, value.end) },
    style: value.style,
    exported: head.groups[1] !== undefined,
  };
}

function valueAt(text: string, start: number): { style: QuoteStyle; end: number } {
  const quoted = QUOTED[text[start] ?? ''];
  if (quoted) {
    const whole = match(quoted[1], text, start);
    if (whole && match(AFTER_QUOTES, text, whole.end)) return { style: quoted[0], end: whole.end };
  }
  const line = /[^\r\n]*/y;
  const end = match(line, text, start)?.end ?? start;
  const bare = text
    .slice(start, end)
    .replace(/(?:^|(?<![ \t])[ \t]+)#.*$/, '')
    .trimEnd();
  return { style: 'none', end: start + bare.length };
}

function match(
  pattern: RegExp,
  text: string,
  at: number,
): { end: number; groups: readonly (string | undefined)[] } | undefined {
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  return found ? { end: at + found[0].length, groups: found } : undefined;
}
