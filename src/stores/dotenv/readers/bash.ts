/**
 * `set -a; . FILE` in bash: words, quotes, comments and assignments. What bash would expand or run is not followed: such a
 * value is marked as not literal, and an assignment in front of a command, in a pipeline or in the background is not one.
 *
 * Bash reads CR as an ordinary character and does not know the byte-order mark, so it cannot use a file with CRLF line ends
 * at all. The model judges such a file as if its lines ended in LF; preflight says so.
 */
import { lineAt, withoutByteOrderMark, type EnvReader, type FileReading, type Reading } from './reader.js';

interface Word {
  readonly key: string | undefined;
  readonly value: string;
  readonly literal: boolean;
  readonly end: number;
}

const ASSIGNMENT = /([A-Za-z_][A-Za-z0-9_]*)=/y;
/** Expansions that end where they seem to end. Others may swallow any amount of text; there the model gives up. */
const EXPANSION = /\$\{\w+(?::?[-+=?][^'"`\\${}\n]*)?\}|\$\([^()'"`\\$<#\n]*\)|`[^`\\'"$#<\n]*`|\$(?!['{([])/y;
/** Operators that another word (or for &, nothing) may follow. A here-document, or an operator at the end of a line, may not. */
const OPERATOR = /(?:&&|\|\||\|&?|&|>>|>\||[<>]&?)[ \t]*(?=[^\s|&;<>()#])|&[ \t]*(?=\n|$)/y;
/** With these a command begins that this model does not follow. */
const RESERVED = new Set(
  '{ } ! [[ if then else elif fi for while until do done case esac select function time coproc'.split(' '),
);
const ESCAPABLE_IN_DOUBLE_QUOTES = new Set(['$', '`', '"', '\\', '\n']);

export const bash: EnvReader = {
  name: 'bash',
  read: (text) => readAll(withoutByteOrderMark(text).replaceAll('\r\n', '\n')),
};

function readAll(text: string): FileReading {
  const variables = new Map<string, Reading>();
  let words: Word[] = [];
  let followed = true;
  const endCommand = () => {
    // In a pipeline, in the background or beside a redirection it may be set or not: not to be relied on.
    const set = followed ? assignmentsOf(words) : words.filter((word) => word.key !== undefined);
    for (const { key = '', value, literal } of set) variables.set(key, { value, literal: literal && followed });
    words = [];
  };
  let at = 0;
  while (at < text.length) {
    const char = text[at] ?? '';
    if (char === '\n' || char === ';') {
      if (char === ';' && words.length === 0) return { variables, brokenAt: lineAt(text, at) };
      endCommand();
      followed = true;
      at += 1;
    } else if (char === ' ' || char === '\t') {
      at += 1;
    } else if (char === '#') {
      const end = text.indexOf('\n', at);
      at = end === -1 ? text.length : end;
    } else if ('|&<>()'.includes(char)) {
      OPERATOR.lastIndex = at;
      const operator = OPERATOR.exec(text)?.[0];
      if (operator === undefined || words.length === 0) return { variables, brokenAt: lineAt(text, at) };
      followed = false;
      endCommand();
      at += operator.length;
    } else {
      const word = readWord(text, at);
      if (!word || (words.length === 0 && RESERVED.has(text.slice(at, word.end))))
        return { variables, brokenAt: lineAt(text, at) };
      words.push(word);
      at = word.end;
    }
  }
  endCommand();
  return { variables };
}

/** `A=1 B=2` and `export A=1 B C=2` set variables; `A=1 command` does not. */
function assignmentsOf(words: readonly Word[]): readonly Word[] {
  const [first, ...others] = words;
  if (first?.key === undefined && first?.value === 'export' && first.literal) {
    return others.some((word) => word.value.startsWith('-') && word.key === undefined)
      ? []
      : others.filter((word) => word.key !== undefined);
  }
  return words.every((word) => word.key !== undefined) ? words : [];
}

function readWord(text: string, start: number): Word | undefined {
  ASSIGNMENT.lastIndex = start;
  const assignment = ASSIGNMENT.exec(text);
  const valueStart = start + (assignment?.[0].length ?? 0);
  let value = '';
  let literal = true;
  let at = valueStart;
  while (at < text.length) {
    const char = text[at] ?? '';
    if (' \t\n;|&<>()'.includes(char)) break;
    if (char === "'") {
      const end = text.indexOf("'", at + 1);
      if (end === -1) return undefined;
      value += text.slice(at + 1, end);
      at = end + 1;
    } else if (char === '"') {
      const quoted = readDoubleQuoted(text, at + 1);
      if (!quoted) return undefined;
      value += quoted.value;
      literal &&= quoted.literal;
      at = quoted.end;
    } else if (char === '\\') {
      const next = text[at + 1] ?? '';
      if (next !== '\n') value += next;
      at += 2;
    } else {
      const expansion = char === '$' || char === '`' ? expansionAt(text, at) : char;
      if (expansion === undefined) return undefined;
      // Tilde expansion: at the start of an assigned value and after a colon in it.
      const tilde = char === '~' && (at === valueStart || text[at - 1] === ':');
      if (tilde || char === '$' || char === '`') literal = false;
      value += expansion;
      at += expansion.length;
    }
  }
  return { key: assignment?.[1], value, literal, end: Math.min(at, text.length) };
}

function readDoubleQuoted(text: string, start: number): { value: string; literal: boolean; end: number } | undefined {
  let value = '';
  let literal = true;
  let at = start;
  while (at < text.length) {
    const char = text[at] ?? '';
    if (char === '"') return { value, literal, end: at + 1 };
    const next = text[at + 1] ?? '';
    if (char === '\\' && ESCAPABLE_IN_DOUBLE_QUOTES.has(next)) {
      if (next !== '\n') value += next;
      at += 2;
    } else if (char === '$' || char === '`') {
      // A dollar sign right before the closing quote is only that.
      const expansion = next === '"' && char === '$' ? '$' : expansionAt(text, at);
      if (expansion === undefined) return undefined;
      literal = false;
      value += expansion;
      at += expansion.length;
    } else {
      value += char;
      at += 1;
    }
  }
  return undefined;
}

function expansionAt(text: string, at: number): string | undefined {
  EXPANSION.lastIndex = at;
  return EXPANSION.exec(text)?.[0];
}
