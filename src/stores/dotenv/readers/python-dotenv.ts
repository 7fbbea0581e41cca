/**
 * python-dotenv 1.x, `dotenv_values()`, after its `parser.py` and `variables.py`: escapes are decoded in both kinds of quotes,
 * and `${NAME}` is expanded everywhere, even in single quotes.
 */
import { withoutByteOrderMark, type EnvReader, type Reading } from './reader.js';

/** Python's \s for text, which is not quite JavaScript's. */
const WS = '\\t\\n\\v\\f\\r\\x1c-\\x1f \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
/** The same on one line. */
const BLANK = '[\\t\\v\\f\\x1c-\\x1f \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';

const MULTILINE_SPACE = new RegExp(`[${WS}]*`, 'y');
const EXPORT = new RegExp(`(?:export${BLANK}+)?`, 'y');
const QUOTED_KEY = /'([^']+)'/y;
const KEY = new RegExp(`([^=#${WS}]+)`, 'y');
const SPACE = new RegExp(`${BLANK}*`, 'y');
const EQUALS = new RegExp(`(=${BLANK}*)`, 'y');
const SINGLE = /'((?:\\[\s\S]|[^'\\])*)'/y;
const DOUBLE = /"((?:\\[\s\S]|[^"\\])*)"/y;
const BARE = /([^\n]*)/y;
const COMMENT = new RegExp(`(?:${BLANK}*#[^\\n]*)?`, 'y');
const END_OF_LINE = new RegExp(`${BLANK}*(?:\\n|$)`, 'y');
const REST_OF_LINE = /[^\n]*\n?/y;
const BARE_COMMENT = new RegExp(`[${WS}]+#.*$`, 's');
const TRAILING = new RegExp(`[${WS}]+$`);
const VARIABLE = /\$\{[^}:]*(?::-[^}]*)?\}/;
const ESCAPED: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
  ...{ '\\': '\\', "'": "'", '"': '"' },
};

export const pythonDotenv: EnvReader = {
  name: 'python-dotenv',
  read(text) {
    const variables = new Map<string, Reading>();
    // Python opens text files with universal newlines.
    const cursor = new Cursor(withoutByteOrderMark(text.replaceAll(/\r\n?/g, '\n')));
    while (!cursor.done) {
      try {
        readBinding(cursor, variables);
      } catch (error) {
        if (!(error instanceof NoMatch)) throw error;
        cursor.take(REST_OF_LINE);
      }
    }
    return { variables };
  },
};

function readBinding(cursor: Cursor, variables: Map<string, Reading>): void {
  cursor.take(MULTILINE_SPACE);
  if (cursor.done) return;
  cursor.take(EXPORT);
  const first = cursor.peek();
  const key = first === '#' ? undefined : cursor.take(first === "'" ? QUOTED_KEY : KEY);
  cursor.take(SPACE);
  let value: string | undefined;
  if (cursor.peek() === '=') {
    const equals = cursor.take(EQUALS);
    value = equals.length > 1 && cursor.peek() === '#' ? '' : readValue(cursor);
  }
  cursor.take(COMMENT);
  cursor.take(END_OF_LINE);
  if (key !== undefined && value !== undefined) variables.set(key, { value, literal: !VARIABLE.test(value) });
}

function readValue(cursor: Cursor): string {
  const first = cursor.peek();
  if (first === "'") return decode(cursor.take(SINGLE), /\\([\\'])/g);
  if (first === '"') return decode(cursor.take(DOUBLE), /\\([\\'"abfnrtv])/g);
  if (first === '' || first === '\n') return '';
  return cursor.take(BARE).replace(BARE_COMMENT, '').replace(TRAILING, '');
}

function decode(text: string, escapes: RegExp): string {
  return text.replaceAll(escapes, (whole, char: string) => ESCAPED[char] ?? whole);
}

class NoMatch extends Error {}

class Cursor {
  #at = 0;
  constructor(private readonly text: string) {}

  get done(): boolean {
    return this.#at >= this.text.length;
  }

  peek(): string {
    return this.text.slice(this.#at, this.#at + 1);
  }

  /** @returns the first group, or all that matched. */
  take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.text);
    if (!match) throw new NoMatch();
    this.#at += match[0].length;
    return match[1] ?? match[0];
  }
}
