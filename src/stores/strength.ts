/** Whether a value is fit to be a secret: the startup rules of the runbooks (length, no placeholder), and an estimate. */
import type { SecretValue } from '../domain/secret-value.js';

export interface StrengthOptions {
  /** Environments of the tier `development` may use identifiable test values (`test-NAME-…`). Default: false. */
  readonly allowTestValues?: boolean;
}

/** Below this a value can be searched for: 2^64 guesses are within reach of a determined attacker. */
const MINIMUM_BITS = 64;
const TEST_VALUE = /^test-[a-z0-9_.-]+-[0-9a-f]+$/;
const TEST_LIKE = /^(?:test|dev|demo|local|staging)[-_]/i;

/** Words of six letters and more: shorter ones turn up in random base64 by chance. `0`, `1`, `3`, `5`, `$` and `@` are read as letters. */
const PLACEHOLDERS = [
  ...[
    'changeme',
    'changethis',
    'replaceme',
    'replacethis',
    'yoursecret',
    'yourkey',
    'yourtoken',
    'insertyour',
    'putyour',
  ],
  ...['secret', 'password', 'passwort', 'passphrase', 'example', 'placeholder', 'default', 'insecure', 'notasecret'],
  ...['keyboardcat', 'letmein', 'qwerty', 'asdfgh', 'welcome', 'foobar', 'xxxxxx', 'dummyvalue', 'todotodo'],
];
const DIGIT_RUNS = /0{8,}|12345678|87654321|(\d)\1{7,}/;
const LOOKS_LIKE_A_REFERENCE = /^(?:<.*>|\$\{.*\}|\{\{.*\}\}|\[.*\])$/s;

/**
 * @param minimumLength in characters.
 * @returns what is wrong, in words that never quote the value; empty when nothing is.
 */
export function assessStrength(
  value: SecretValue,
  minimumLength: number,
  { allowTestValues = false }: StrengthOptions = {},
): string[] {
  const text = value.reveal();
  const isTestValue = TEST_VALUE.test(text);
  const problems: string[] = [];
  if (text.length < minimumLength)
    problems.push(`is ${text.length} characters long; at least ${minimumLength} are needed`);
  if (isTestValue || TEST_LIKE.test(text)) {
    if (isTestValue && allowTestValues) return problems;
    problems.push('is marked as a test value');
  } else if (isPlaceholder(text)) {
    problems.push('looks like a placeholder, not like a random value');
  }
  if (/^\s|\s$/.test(text)) problems.push('begins or ends with white space');
  const bits = Math.floor(estimatedBits(text));
  if (bits < MINIMUM_BITS)
    problems.push(`is easy to guess: about ${bits} bits of entropy; at least ${MINIMUM_BITS} are needed`);
  return problems;
}

function isPlaceholder(text: string): boolean {
  if (LOOKS_LIKE_A_REFERENCE.test(text) || DIGIT_RUNS.test(text)) return true;
  const folded = text
    .toLowerCase()
    .replaceAll(/[-_. ]/g, '')
    .replaceAll(/[0135$@]/g, (char) => ({ '0': 'o', '1': 'i', '3': 'e', '5': 's', $: 's', '@': 'a' })[char] ?? char);
  const plain = text.toLowerCase().replaceAll(/[-_. ]/g, '');
  return PLACEHOLDERS.some((word) => folded.includes(word) || plain.includes(word));
}

/**
 * An upper bound that repetition lowers: each character counts as many bits as the alphabet in use gives, but next to
 * nothing when it repeats or continues its predecessor (aaa, abc, 321), and a text made of one repeated block counts once.
 */
function estimatedBits(text: string): number {
  const block = text.slice(0, shortestPeriod(text));
  const distinct = new Set(block).size;
  // A random text shows at least half of its alphabet; one that shows less is not drawn from the whole of it.
  const bitsEach = Math.log2(Math.max(1, Math.min(alphabetSize(block), 2 * distinct)));
  let bits = 0;
  for (let at = 0; at < block.length; at += 1) {
    const step = at === 0 ? Infinity : block.charCodeAt(at) - block.charCodeAt(at - 1);
    const beforeStep = at < 2 ? Infinity : block.charCodeAt(at - 1) - block.charCodeAt(at - 2);
    const predictable = step === 0 || (Math.abs(step) === 1 && step === beforeStep);
    bits += predictable ? bitsEach / 8 : bitsEach;
  }
  return bits;
}

function alphabetSize(text: string): number {
  if (/^(?:[0-9a-f]+|[0-9A-F]+)$/.test(text)) return /^\d+$/.test(text) ? 10 : 16;
  return (
    (/[a-z]/.test(text) ? 26 : 0) +
    (/[A-Z]/.test(text) ? 26 : 0) +
    (/\d/.test(text) ? 10 : 0) +
    (/[^A-Za-z0-9]/.test(text) ? 16 : 0)
  );
}

/** The length of the shortest block whose repetition gives `text` (its own length when there is none). */
function shortestPeriod(text: string): number {
  for (let length = 1; length <= text.length / 2; length += 1) {
    if (text.startsWith(text.slice(length))) return length;
  }
  return text.length;
}
