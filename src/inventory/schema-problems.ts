/** What the schema objects to, in words a person can act on: the place, what stands there, what may stand there. */
import type { z } from 'zod';
import { child, knownKeys } from './known-keys.js';
import type { Path } from './problems.js';
import { cut } from '../domain/one-line.js';
import { looksSecret } from '../domain/secret-looking.js';
import { NOT_A_POINTER } from '../domain/specs/common.js';
import { suggest } from './suggest.js';

export interface Complaint {
  readonly path: Path;
  readonly message: string;
  readonly hint: string | null;
}

type Issue = z.core.$ZodIssue;

const KINDS: Readonly<Record<string, string>> = {
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  null: 'nothing',
};

export function complaints(
  schema: z.core.$ZodType,
  data: unknown,
  issues: readonly Issue[],
  above: Path = [],
): Complaint[] {
  return issues.flatMap((issue): Complaint[] => {
    const path = [...above, ...(issue.path as Path)];
    const value = at(data, path);
    const say = (message: string, hint: string | null = null): Complaint[] => [{ path, message, hint }];
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => unknownKey(schema, data, path, key));
      case 'invalid_key':
        return say(
          `${quote(path.at(-1))} ${issue.issues[0]?.message ?? 'is not a valid name'}`,
          pointerHint(path.at(-1), issue.issues[0]?.message),
        );
      case 'invalid_union':
        return unionComplaints(schema, data, issue, path);
      case 'invalid_type':
        if (value !== undefined && !issue.message.startsWith('Invalid ')) return say(issue.message);
        return value === undefined
          ? say(`is missing: ${KINDS[issue.expected] ?? issue.expected} is needed`)
          : say(`must be ${KINDS[issue.expected] ?? issue.expected}, not ${kindOf(value)}`, quoteHint(issue, value));
      case 'invalid_value':
        return [invalidValue(path, value, issue)];
      case 'too_small':
      case 'too_big':
        return say(sizeMessage(issue));
      default:
        if (typeof value !== 'string') return say(issue.message);
        return say(`${quote(value)} ${issue.message}`, pointerHint(value, issue.message));
    }
  });
}

function unknownKey(schema: z.core.$ZodType, data: unknown, path: Path, key: string): Complaint {
  const hint = suggest(key, knownKeys(schema, data, path), 'known here');
  return { path: [...path, key], message: 'unknown key', hint };
}

function invalidValue(path: Path, value: unknown, issue: Extract<Issue, { code: 'invalid_value' }>): Complaint {
  const allowed = issue.values.map(String);
  if (value === undefined) return { path, message: 'is missing', hint: `one of: ${allowed.join(', ')}` };
  return { path, message: `${quote(value)} is not possible here`, hint: suggest(plain(value), allowed, 'one of') };
}

function unionComplaints(
  schema: z.core.$ZodType,
  data: unknown,
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: Path,
): Complaint[] {
  const { discriminator, options } = issue as { discriminator?: string; options?: readonly unknown[] };
  if (discriminator !== undefined) return [unknownMember(data, path, discriminator, (options ?? []).map(String))];
  // A member whose complaint is about the value as a whole was not meant; of the others the one with the fewest was.
  const branches = issue.errors as readonly (readonly Issue[])[];
  const meant = branches.filter((issues) => issues.length > 0 && !issues.some((inner) => isAboutWhole(inner)));
  const fewest = Math.min(...meant.map((issues) => issues.length));
  const best = meant.filter((issues) => issues.length === fewest);
  const [only] = best;
  if (only && best.length === 1) return complaints(schema, data, only, path);
  if (issue.message !== 'Invalid input') return [{ path, message: issue.message, hint: null }];
  if (only) return complaints(schema, data, only, path);
  const wanted = [...new Set(branches.flat().map((inner) => wish(inner)))];
  return [{ path, message: `must be ${wanted.join(' or ')}, not ${kindOf(at(data, path))}`, hint: null }];
}

function isAboutWhole(issue: Issue): boolean {
  return issue.path.length === 0 && ['invalid_type', 'invalid_value', 'invalid_union'].includes(issue.code);
}

function wish(issue: Issue): string {
  if (!issue.message.startsWith('Invalid ')) return issue.message.replace(/^must be /, '');
  if (issue.code === 'invalid_type') return KINDS[issue.expected] ?? issue.expected;
  return issue.code === 'invalid_value'
    ? issue.values.map((value) => JSON.stringify(value)).join(' or ')
    : issue.message;
}

/** `store type` for `stores.X.type`, `overlap style` for `….overlap.style`. */
function unknownMember(data: unknown, path: Path, key: string, options: readonly string[]): Complaint {
  const parent = path.filter((step): step is string => typeof step === 'string').slice(0, -1);
  const group = parent.at(-2);
  const singular: Record<string, string> = {
    stores: 'store',
    services: 'service',
    checks: 'check',
    monitors: 'monitor',
  };
  const subject = (group && singular[group]) ?? parent.at(-1) ?? '';
  const value = at(data, path);
  const list = `this version has: ${options.join(', ')}`;
  if (value === undefined) return { path, message: `is missing: the ${subject} ${key}`, hint: list };
  return { path, message: `unknown ${subject} ${key} ${quote(value)}`, hint: nearOr(plain(value), options, list) };
}

/** The list of what exists is short here and always worth telling. */
function nearOr(value: string, options: readonly string[], list: string): string {
  const hint = suggest(value, options, 'this version has');
  return hint.startsWith('did') ? `${hint} ${list}` : list;
}

function sizeMessage(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>): string {
  if (!issue.message.startsWith('Too ')) return issue.message;
  const [bound, word] = issue.code === 'too_small' ? [issue.minimum, 'at least'] : [issue.maximum, 'at most'];
  const unit =
    issue.origin === 'array' ? (bound === 1 ? ' entry' : ' entries') : issue.origin === 'string' ? ' characters' : '';
  return unit ? `must have ${word} ${bound}${unit}` : `must be ${word} ${bound}`;
}

function quoteHint(issue: Extract<Issue, { code: 'invalid_type' }>, value: unknown): string | null {
  return issue.expected === 'string' && ['number', 'boolean'].includes(typeof value) ? 'put it in quotes' : null;
}

/** As people write it elsewhere (`$.services[0].state`), or a bare name. */
function pointerHint(value: unknown, message: string | undefined): string | null {
  if (message !== NOT_A_POINTER || typeof value !== 'string' || looksSecret(value)) return null;
  const steps = value.replace(/^\$\.?/, '').split(/[.[\]]+/);
  return cut(
    `write ${steps
      .filter((step) => step !== '')
      .map((step) => `/${step}`)
      .join('')}`,
    80,
  );
}

function at(data: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => child(value, step), data);
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  return Array.isArray(value) ? 'a list' : (KINDS[typeof value] ?? typeof value);
}

/** Shortened, and never something that looks like a secret. */
export function quote(value: unknown): string {
  if (typeof value !== 'string') return plain(value) || kindOf(value);
  if (looksSecret(value)) return 'this';
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
}

function plain(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
