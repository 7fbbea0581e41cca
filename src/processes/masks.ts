/** Taking secrets out of text from outside: a program's output, a driver's message, a container's log lines. */
import { Redactor } from '../domain/redactor.js';
import { redact } from '../domain/secret-value.js';

/** Value → what to show instead. */
export type Masks = ReadonlyMap<string, string>;

/** Shorter ones would blank out ordinary words. */
const SHORTEST = 4;
const LONGEST_LINE = 300;
/** `production`, `media-vault`, `127.0.0.1`: masking them would make log lines unreadable… */
const SETTING_VALUE = /^(?:[a-z]{1,20}(?:[._-][a-z]{1,20}){0,2}|\d{1,3}(?:\.\d{1,3}){3})$/i;
/** …unless the name says that the value is one to keep. */
const SECRET_NAME = /secret|pass|pwd|token|key|cred|auth|private|salt|sign|login|pin|code|cookie|hash/i;

/** Each is bounded, so that the time grows with the text only. What looks like a credential even when this process has never met its value. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  // Database URLs: up to the last "@", because an unescaped "/", "#" or "@" in the password is how such URLs go wrong.
  [
    /\b((?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?):\/\/)[^\s"'<>]{0,2000}@/gi,
    '$1[credentials]@',
  ],
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s"'<>/?#@]{1,2000}@/gi, '$1[credentials]@'],
  [/\beyJ[\w-]{5,1500}\.[\w-]{5,}\.[\w-]*/g, '[token]'],
  [/\bs(?::|%3A)[^\s;,"'.]{1,256}\.[A-Za-z0-9+/%]{20,}={0,2}/gi, '[cookie]'],
  [/\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, '$1 [secret]'],
];

/** Terminal colours and other control characters but the line feed have no place in evidence. */
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f]/g;
const COLOUR = /\u001b\[[0-9;?]*[A-Za-z]/g;

export function isPlainWord(value: string): boolean {
  return SETTING_VALUE.test(value);
}

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** Every value this process has met, and what looks like a credential. Before any cut: half a secret is no longer recognised. */
export function maskCredentials(text: string): string {
  return SHAPES.reduce((clean, [shape, mask]) => clean.replace(shape, mask), redact(text));
}

export function withoutControls(text: string): string {
  return text.replace(CONTROL, ' ');
}

/** Before values are looked for: `grep --color` paints a part of one. */
export function withoutColours(text: string): string {
  return text.replace(COLOUR, '');
}

/** As `redact`, each with a mask of its own. */
export function applyMasks(text: string, masks: Masks): string {
  if (masks.size === 0) return text;
  const redactor = new Redactor();
  for (const [value, mask] of masks) redactor.add(value, mask);
  return redactor.apply(text);
}

/** A program's output made fit to keep as evidence. @returns the lines that say something, at most 300 characters each. */
export function cleanLines(text: string, masks: Masks): string[] {
  return maskCredentials(applyMasks(withoutColours(text), masks))
    .split('\n')
    .map((line) => withoutControls(line).trimEnd())
    .filter((line) => line !== '')
    .map((line) => (line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE - 1)}…` : line));
}

/** The values of named variables: `[$API_TOKEN]`. @param settings whether plain settings among them stay readable. */
export function masksOfVariables(
  names: readonly string[],
  environment: Readonly<Record<string, string>>,
  settings: 'readable' | 'masked',
): Masks {
  const masks = new Map<string, string>();
  for (const name of names) addMask(masks, environment[name] ?? '', `[$${name}]`, settings);
  return masks;
}

export function addMask(
  masks: Map<string, string>,
  value: string,
  mask: string,
  settings: 'readable' | 'masked' = 'readable',
): void {
  if (value.length < SHORTEST || masks.has(value)) return;
  if (settings === 'readable' && isPlainWord(value) && !isSecretName(mask)) return;
  masks.set(value, mask);
}
