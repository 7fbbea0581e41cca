/**
 * Docker Compose (`--env-file`, `.env`, `env_file:`), after compose-go 2.9 `dotenv/parser.go`: `$` is interpolated in unquoted
 * and double-quoted values, single quotes are literal, a quoted value may span lines, ` #` starts a comment after a bare value.
 */
import { lineAt, withoutByteOrderMark, type EnvReader, type FileReading, type Reading } from './reader.js';

/** Go's unicode.IsSpace, which is not quite JavaScript's \s. */
const SPACE = '\\t\\n\\v\\f\\r \\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000';
const STATEMENT_START = new RegExp(`(?:[${SPACE}]|#[^\\n]*(?:\\n|$))*`, 'y');
const TRAILING_SPACE = new RegExp(`[${SPACE}]+$`);
const INLINE_SPACE = /[\t\v\f\r \u0085\u00A0]*/y;
const EXPORT = /export(?=[\t\n\f\r ])[\t\v\f\r \u0085\u00A0]*/y;
const KEY = /[\p{L}\p{N}_.\-[\]\t\v\f\r \u0085\u00A0]*/uy;
const ESCAPE = /\\(?:[abcfnrtv$"\\]|0\d{0,3})/g;
/** What Compose can interpolate: `$$`, `$NAME`, `${NAME}`, `${NAME:-default}` and the like. Any other `${` is an error. */
const INTERPOLATION = /\$\$|\$[_a-z][_a-z0-9]*|\$\{[_a-z][_a-z0-9]*(?::?[-+?].*)?\}/gi;

export const compose: EnvReader = { name: 'Docker Compose', read: (text) => readAll(withoutByteOrderMark(text)) };

function readAll(text: string): FileReading {
  const variables = new Map<string, Reading>();
  let at = skip(STATEMENT_START, text, 0);
  while (at < text.length) {
    const start = skip(EXPORT, text, at);
    const end = skip(KEY, text, start);
    const key = text.slice(start, end).replace(TRAILING_SPACE, '');
    const delimiter = text[end];
    // A name alone is taken over from the environment; the file says nothing about its value.
    if ((delimiter === '\n' && !key.includes(' ')) || delimiter === undefined) {
      at = skip(STATEMENT_START, text, end);
      continue;
    }
    if ((delimiter !== '=' && delimiter !== ':') || key.includes(' '))
      return { variables: new Map(), brokenAt: lineAt(text, end) };
    const value = readValue(text, skip(INLINE_SPACE, text, end + 1));
    if (!value) return { variables: new Map(), brokenAt: lineAt(text, end) };
    variables.set(key, value.reading);
    at = skip(STATEMENT_START, text, value.end);
  }
  return { variables };
}

function readValue(text: string, start: number): { reading: Reading; end: number } | undefined {
  const quote = text[start];
  if (quote !== "'" && quote !== '"') {
    const lineEnd = text.indexOf('\n', start);
    const end = lineEnd === -1 ? text.length : lineEnd;
    const line = text.slice(start, end);
    const comment = line.indexOf(' #');
    const value = (comment === -1 ? line : line.slice(0, comment)).replace(TRAILING_SPACE, '');
    if (!canInterpolate(value)) return undefined;
    return { reading: { value, literal: !value.includes('$') }, end: Math.min(end + 1, text.length) };
  }
  let value = '';
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text[at] ?? '';
    const next = text[at + 1];
    if (char === quote) {
      const unescaped = value.replaceAll(ESCAPE, (escape) => (escape === '\\$' ? '$$' : ' '));
      if (quote === '"' && !canInterpolate(unescaped)) return undefined;
      const literal = quote === "'" || (unescaped === value && !value.includes('$'));
      return { reading: { value, literal }, end: at + 1 };
    }
    if (char === '\\' && next !== undefined) {
      value += next === quote ? next : char + next;
      at += 1;
    } else {
      value += char;
    }
  }
  return undefined;
}

function canInterpolate(value: string): boolean {
  return !value.replaceAll(INTERPOLATION, '').includes('${');
}

function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return from + (pattern.exec(text)?.[0].length ?? 0);
}
