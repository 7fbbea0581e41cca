/** Which texts of an env file or a file of secrets, and of what Keyturn keeps beside it, must not be shown. Pure. */
import { assignments } from './env-assignments.js';
import { isPlainWord, isSecretName } from './masks.js';

/** Names of a role, a host, a database: shown in evidence, and no use to anybody alone. */
const SETTING_NAME = /(?:^|_)(?:user|username|role|host|hostname|database|dbname|db|schema|region|env|environment)$/i;
const IDENTIFIER = /^[A-Za-z_][\w.-]{0,62}$/;
/** What is no secret under a name that promises none. */
const SETTINGS: readonly RegExp[] = [
  /^\d{1,12}$/,
  /^[a-z]{1,20}(?:-[a-z]{1,20}){0,3}-\d{1,2}$/i,
  // An address or a path of plain words: what is random in it (a webhook's token) makes it a secret.
  /^[a-z][a-z0-9+.-]*:\/\/(?:[a-z0-9.-]{1,80}|\[[0-9a-f:]+\])(?::\d{1,5})?(?:\/(?:[a-z][a-z._-]{0,30}|v\d{1,2}))*\/?$/i,
  /^(?:~|\.{1,2})?\/?(?:[a-z._-]{1,30}\/)*[a-z._-]{1,30}\/?$/i,
  /^[a-z][a-z.+-]{0,40}@[a-z0-9.-]{1,60}$/i,
];

/** Of every variable that is not plainly a setting: the value, and parts of it that show up alone. */
export function textsOfEnvFile(text: string): string[] {
  return assignments(text).flatMap(([name, value]) => textsToHide(name, value));
}

/** A file of a directory of secrets, which is one value: with and without the white space that some readers strip. */
export function textsOfSecretFile(name: string, text: string): string[] {
  const value = text.trim();
  if (value === '') return [];
  const texts = textsToHide(name, value);
  return texts.length > 0 && value !== text ? [text, ...texts] : texts;
}

/** `FILE.keyturn`: old and new values, and how the variable was. */
export function textsOfSidecar(text: string): string[] {
  const entries = (parse(text) as { entries?: unknown } | undefined)?.entries;
  // Not the file that this version writes: whatever is as long as a value may be one.
  if (!isRecord(entries)) return [...text.matchAll(/[^\s"',:=[\]{}]{8,}/g)].map(([token]) => token);
  return Object.values(entries).flatMap((entry) => (isRecord(entry) ? textsOfEntry(entry) : []));
}

function textsOfEntry(entry: Readonly<Record<string, unknown>>): string[] {
  const exposure = isRecord(entry['exposure']) ? entry['exposure'] : {};
  const isPair = exposure['style'] === 'pair';
  const values = [entry['old'], entry['new'], ...(Array.isArray(entry['rest']) ? (entry['rest'] as unknown[]) : [])];
  const secrets = values.filter(isText).flatMap((value) => (isPair ? textsOfPair(value) : [value, ...partsOf(value)]));
  const before = Object.values(isRecord(entry['original']) ? entry['original'] : {}).filter(isText);
  const second = Object.values(isRecord(entry['second']) ? entry['second'] : {}).filter(isText);
  const key = isText(entry['key']) ? entry['key'] : '';
  return [
    ...secrets,
    // Of a pair this is the user's name.
    ...before.flatMap((value) => textsToHide(isPair ? key : `secret ${key}`, unquoted(value))),
    ...second.flatMap((value) => textsToHide('secret', unquoted(value))),
  ];
}

/** `["user","password"]`: the name of a role may be shown. */
function textsOfPair(value: string): string[] {
  const pair = parse(value);
  const password: unknown = Array.isArray(pair) ? pair[1] : undefined;
  return isText(password) ? [value, password] : [value];
}

export function textsToHide(name: string, value: string): string[] {
  if (!isSecretName(name) && isSetting(name, value)) return [];
  return [value, ...partsOf(value)];
}

/** One value of a list, the password inside a URL, a line of a key, a text in JSON: words and settings among them stay readable. */
function partsOf(value: string): string[] {
  if (/^\s*[[{]/.test(value)) return textsInJson(parse(value));
  const parts = value.split(/[\s,;]+/);
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^:@]*:(.*)@/i.exec(value)?.[1];
  return [
    ...(password === undefined ? [] : [password, decoded(password)]),
    ...(parts.length > 1 ? parts.filter((part) => !isSetting('', part)) : []),
  ];
}

/** With a list of its own instead of calls: whatever depth it has, the stack does not grow. */
function textsInJson(data: unknown): string[] {
  const found: string[] = [];
  const left: (readonly [name: string, value: unknown])[] = [['', data]];
  for (let next = left.pop(); next; next = left.pop()) {
    const [name, value] = next;
    if (isText(value)) found.push(...textsToHide(name, value));
    else if (typeof value === 'object' && value !== null) left.push(...Object.entries(value));
  }
  return found;
}

function isSetting(name: string, value: string): boolean {
  if (isPlainWord(value) || SETTINGS.some((pattern) => pattern.test(value))) return true;
  return SETTING_NAME.test(name) && IDENTIFIER.test(value);
}

function unquoted(raw: string): string {
  return /^(["'`]).*\1$/s.test(raw) ? raw.slice(1, -1) : raw;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
