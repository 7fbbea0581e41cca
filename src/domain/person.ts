/**
 * Names of people, which they give themselves: what a name may be, and when two of them may be one person. It is one line of one
 * script with nothing invisible, so that what people read is what is compared.
 */
import { z } from 'zod';
import { looksSecret } from './secret-looking.js';

const LONGEST = 120;

/** Nothing of these has a shape that anybody sees; the last one is an empty Braille cell. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
/** Records put these between people and what they said. */
const OF_RECORDS = /[;,()<>"`[\]{}]/;

/** Japanese, Chinese and Korean names mix theirs by custom, and none of them looks like a Latin letter. */
const EAST_ASIAN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}]/u;
const SCRIPTS: readonly (readonly [string, RegExp])[] = [
  ['Latin', /\p{Script=Latin}/u],
  ['Cyrillic', /\p{Script=Cyrillic}/u],
  ['Greek', /\p{Script=Greek}/u],
  ['East Asian', EAST_ASIAN],
  ['Arabic', /\p{Script=Arabic}/u],
  ['Hebrew', /\p{Script=Hebrew}/u],
  ['Armenian', /\p{Script=Armenian}/u],
  ['Georgian', /\p{Script=Georgian}/u],
  ['Devanagari', /\p{Script=Devanagari}/u],
  ['Thai', /\p{Script=Thai}/u],
];

/** Printed where a person's own name must stand; pasted as it is, nobody would have decided. */
const SAMPLES = ['YOUR-NAME', 'you@example.test'];

/** What keeps a text from being the name of a person; null when it is one. */
export function personProblem(text: string): string | null {
  if (text.length > 2 * LONGEST) return `must be ${LONGEST} characters at most`;
  const name = plain(text);
  if (name.length < 2) return 'must name a person';
  const sample = SAMPLES.find((one) => samePerson(one, name));
  if (sample !== undefined) return `must be your own name, in place of ${sample}`;
  if (name.length > LONGEST) return `must be ${LONGEST} characters at most`;
  if (INVISIBLE.test(text.trim())) return 'must be one line of visible characters';
  if (OF_RECORDS.test(name)) return 'must be a name or an address, without ; , ( ) < > " ` [ ] { }';
  const scripts = scriptsOf(name);
  if (scripts.length > 1) return `must be in one script; this mixes ${scripts.join(' and ')}, whose letters look alike`;
  if (looksSecret(name)) return 'looks like a secret, not like a person';
  return null;
}

/** As it is kept: one way to write each letter, single spaces. A function, as what runs share is frozen, and a schema cannot be. */
export function personName(): z.ZodType<string, string> {
  return z.string().transform((text, context) => {
    const problem = personProblem(text);
    if (problem === null) return plain(text);
    context.addIssue({ code: 'custom', message: problem });
    return z.NEVER;
  });
}

/** The same name, however it is typed: for a list of who may. */
export function samePerson(one: string, other: string): boolean {
  return folded(one) === folded(other);
}

/**
 * Two names that may well be one person: besides the above, an address with and without its +part, and letters that look alike.
 * For the question whether somebody else agrees: in doubt nobody else does.
 */
export function maybeSamePerson(one: string, other: string): boolean {
  return skeleton(one) === skeleton(other);
}

/** How many different people these are at least. */
export function differentPeople(names: readonly string[]): number {
  return new Set(names.map(skeleton)).size;
}

function plain(text: string): string {
  return text.normalize('NFKC').trim().replace(/\s+/g, ' ');
}

/** By way of capitals, which ß has two of; NFKC again, since lower case can take a composed letter apart. */
function folded(name: string): string {
  return plain(name).toUpperCase().toLowerCase().normalize('NFKC');
}

/** Small letters that are drawn like these Latin ones, themselves or as capitals. */
const DRAWN_LIKE: readonly (readonly [latin: string, others: string])[] = [
  ['a', 'аαɑ'],
  ['b', 'вβ'],
  ['c', 'сϲ'],
  ['d', 'ԁ'],
  ['e', 'еєε'],
  ['g', 'ɡ'],
  ['h', 'һн'],
  ['i', 'іιıɩ'],
  ['j', 'јϳ'],
  ['k', 'кκ'],
  ['l', 'ӏ'],
  ['m', 'мμ'],
  ['n', 'η'],
  ['o', 'оοօ'],
  ['p', 'рρ'],
  ['q', 'ԛ'],
  ['s', 'ѕ'],
  ['t', 'тτ'],
  ['u', 'υս'],
  ['v', 'νѵ'],
  ['w', 'ԝω'],
  ['x', 'хχ'],
  ['y', 'уγү'],
  ['z', 'ζ'],
  ['-', '‐‑‒–—―−'],
  ["'", '’‘ʼ`´'],
];
const DRAWN = new Map(DRAWN_LIKE.flatMap(([latin, others]) => Array.from(others, (other) => [other, latin] as const)));

function skeleton(name: string): string {
  const letters = Array.from(folded(name).normalize('NFKD').replace(/\p{M}/gu, '')).map(
    (letter) => DRAWN.get(letter) ?? letter,
  );
  // A full stop at the end of a host name changes nothing, and neither does +part to the one mailbox.
  return letters
    .join('')
    .replace(/(?<=.)\+[^@]*/, '')
    .replace(/\.+$/, '');
}

function scriptsOf(name: string): string[] {
  const scripts = new Set<string>();
  for (const letter of name) {
    if (!/\p{L}/u.test(letter) || /[\p{Script=Common}\p{Script=Inherited}]/u.test(letter)) continue;
    scripts.add(SCRIPTS.find(([, pattern]) => pattern.test(letter))?.[0] ?? 'another script');
  }
  return [...scripts];
}
