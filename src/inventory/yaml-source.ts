/** One YAML file read strictly: plain data, and the place of every value in it. Nothing in it is executed or guessed. */
import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Node, YAMLError } from 'yaml';
import type { Path } from './problems.js';
import { looksSecret } from '../domain/secret-looking.js';
import { beyondBounds } from './yaml-bounds.js';

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A problem in this file, not yet with the file's name. `path` null: outside the structure (syntax, comments). */
export interface SourceProblem extends Place {
  readonly path: Path;
  readonly message: string;
  readonly hint: string | null;
}

export interface YamlSource {
  /** undefined when there are problems that make the content meaningless. */
  readonly data: unknown;
  readonly problems: readonly SourceProblem[];
  /** The key or list item that `path` names, or the nearest thing above it that exists. */
  readonly locate: (path: Path) => Place;
}

/** How often anchors may be expanded: enough for shared blocks, far from an "alias bomb". */
const MOST_ALIASES = 100;
const DEEPEST = 60;
/** Whoever finds so many takes the file away as a whole. */
const MOST_SECRETS = 100;

export function readYaml(text: string): YamlSource {
  const beyond = beyondBounds(text);
  if (beyond) return { data: undefined, problems: [beyond], locate: () => ({ line: 1, column: 1 }) };
  const lines = new LineCounter();
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    strict: true,
    uniqueKeys: true,
    version: '1.2',
    merge: false,
    // Not 'silent': that would also accept a second document.
    logLevel: 'error',
  });
  const problems = [
    ...firstOfEachTrain([...document.errors, ...document.warnings]).map((error) => syntaxProblem(error, text, at)),
    ...structureProblems(document, at),
    ...pastedSecrets(text, document, at),
  ];
  const locate = (path: Path): Place => at(offsetOf(document, path));
  const fatal = document.errors.length > 0 || document.warnings.length > 0 || problems.some((problem) => problem.fatal);
  if (fatal) return { data: undefined, problems, locate };
  try {
    return { data: document.toJS({ maxAliasCount: MOST_ALIASES }) as unknown, problems, locate };
  } catch (error) {
    if (!(error instanceof ReferenceError) && !(error instanceof RangeError)) throw error;
    problems.push({ ...at(0), path: [], message: 'aliases expand too far', hint: 'write the block out', fatal: true });
    return { data: undefined, problems, locate };
  }
}

type Draft = SourceProblem & { readonly fatal?: boolean };

/** The parser's own messages can quote the file, so the words are ours. */
function syntaxProblem(error: YAMLError, text: string, at: (offset: number) => Place): Draft {
  const place = at(error.pos[0]);
  const own = (message: string, hint: string | null = null): Draft => ({ ...place, path: [], message, hint });
  switch (error.code) {
    case 'DUPLICATE_KEY':
      return own(`the key ${keyAt(text, error.pos[0])} is given twice`, 'keep one of them');
    case 'TAB_AS_INDENT':
      return own('a tab is used for indentation', 'indent with spaces');
    case 'MULTIPLE_DOCS':
      return own('a second document starts here', 'one system a file');
    case 'NON_STRING_KEY':
      return own('a key must be plain text', 'no lists, mappings or aliases as keys');
    case 'TAG_RESOLVE_FAILED':
      return own('tags are not allowed here', 'remove the !tag');
    case 'BAD_INDENT':
      return own('the indentation does not fit what stands above', 'indent the entries of one mapping alike');
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return own('this is not a "key: value" pair', 'put a text with ": " in it in quotes');
    case 'MISSING_CHAR':
      return own('a character is missing', 'look for an unclosed quote or bracket, or a missing ":"');
    case 'BAD_ALIAS':
      return own('this alias names no anchor above it');
    case 'RESOURCE_EXHAUSTION':
      return own('this is nested too deeply');
    default:
      return own(`this is not valid YAML (${error.code.toLowerCase().replaceAll('_', ' ')})`);
  }
}

/** After one mistake the parser stumbles over what follows; only duplicate keys stand for themselves. */
function firstOfEachTrain(errors: readonly YAMLError[]): YAMLError[] {
  const first = errors.find(({ code }) => code !== 'DUPLICATE_KEY');
  return errors.filter((error) => error === first || error.code === 'DUPLICATE_KEY');
}

function keyAt(text: string, offset: number): string {
  const key = /^["']?([\w.-]{1,64})/.exec(text.slice(offset, offset + 80))?.[1];
  return key === undefined || looksSecret(key) ? 'here' : `"${key}"`;
}

/** What is valid YAML but has no place in an inventory. */
function structureProblems(document: Document.Parsed, at: (offset: number) => Place): Draft[] {
  const found: Draft[] = [];
  const refuse = (node: Node | null, message: string, hint: string | null): void => {
    found.push({ ...at(node?.range?.[0] ?? 0), path: [], message, hint, fatal: true });
  };
  if (document.directives.yaml.explicit && document.directives.yaml.version !== '1.2') {
    refuse(null, `this file asks for YAML ${document.directives.yaml.version}`, 'inventories are YAML 1.2');
  }
  visit(document, {
    Node(_key, node, ancestors) {
      if (node.tag !== undefined && !isAlias(node)) refuse(node, 'tags are not allowed here', 'remove the !tag');
      if (ancestors.length > 2 * DEEPEST) {
        refuse(node, 'this is nested too deeply', null);
        return visit.BREAK;
      }
      return undefined;
    },
    Alias(_key, node, ancestors) {
      const target = node.resolve(document);
      if (target === undefined) refuse(node, 'this alias names no anchor above it', null);
      else if (ancestors.includes(target)) refuse(node, 'this alias contains itself', 'write the block out');
    },
    Pair(_key, pair) {
      if (!isScalar(pair.key)) return;
      if (pair.key.value === '<<')
        refuse(pair.key, 'merge keys (<<) are not part of YAML 1.2', 'write the entries out');
      if (pair.key.value === '__proto__') refuse(pair.key, '"__proto__" cannot be a key', null);
    },
  });
  return found;
}

/**
 * Every line as written (comments too), and every scalar as it reads after escapes and folding. Fatal: whatever else might be
 * wrong with this file is told once the secret is out of it, since other messages quote names and values.
 */
function pastedSecrets(text: string, document: Document.Parsed, at: (offset: number) => Place): Draft[] {
  const found = new Map<number, Draft>();
  const report = (place: Place, what: string): void => {
    if (found.has(place.line) || found.size >= MOST_SECRETS) return;
    const message = `this looks like ${what}: an inventory holds references, never values`;
    found.set(place.line, {
      ...place,
      path: [],
      message,
      hint: 'if it was real, rotate it; then name it here only',
      fatal: true,
    });
  };
  let offset = 0;
  for (const line of text.split('\n')) {
    const seen = looksSecret(line);
    if (seen) report(at(offset + seen.index), seen.what);
    offset += line.length + 1;
  }
  visit(document, {
    Scalar(_key, node) {
      if (found.size >= MOST_SECRETS) return;
      const seen = typeof node.value === 'string' ? looksSecret(node.value) : null;
      if (!seen || typeof node.value !== 'string') return;
      const [start, end] = [at(node.range?.[0] ?? 0), at(node.range?.[1] ?? 0)];
      const told = [...found.keys()].some((line) => line >= start.line && line <= end.line);
      if (!told) report(start, seen.what);
    },
  });
  return [...found.values()];
}

/** Keys rather than values: a block's value starts a line later than what a person looks for. */
function offsetOf(document: Document.Parsed, path: Path): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      );
      if (!pair) break;
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      const item = node.items[step];
      if (item === undefined) break;
      node = item;
      offset = (item as Node).range?.[0] ?? offset;
    } else {
      break;
    }
  }
  return offset;
}
