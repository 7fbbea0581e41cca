/**
 * Does a text look like a secret that somebody pasted? An inventory is committed, read in reviews and copied into plans,
 * so such a text is refused with its place and never printed. It errs towards refusing; words, paths and URLs pass.
 */

/** What it looks like, and where in the text it starts; null when the text looks harmless. */
export interface SecretLooking {
  readonly what: string;
  readonly index: number;
}

const SHAPES: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY|AGE-SECRET-KEY-1/],
  ['a PEM block', /-----BEGIN [A-Z]/],
  ['a Stripe key', /\b(?:sk|rk)_(?:live|test)_|\bwhsec_[A-Za-z0-9]/],
  ['an AWS access key', /\b(?:AKIA|ASIA)[0-9A-Z]{12,}/],
  ['a GitHub token', /\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_/],
  ['a GitLab token', /\bglpat-[A-Za-z0-9_-]{8,}/],
  ['a Slack token', /\bxox[abeoprs]-[A-Za-z0-9-]{8,}/],
  ['an API key', /\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}|\bSG\.[\w-]{16,}\.|\bAIza[\w-]{30,}/],
  ['a Vault token', /\bhv[sbr]\.[\w-]{16,}/],
  ['a package registry token', /\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{16,}|\bdckr_pat_/],
  ['a signed token (JWT)', /(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}/],
  ['a password hash', /SCRAM-SHA-256\$|\$2[aby]\$\d\d\$|\$argon2/],
  ['credentials in an Authorization header', /\b(?:Basic|Bearer)\s+(?=[\w+/.=-]*(?:\d|[a-z][A-Z]))[\w+/.=-]{16,}/],
];

/** `scheme://user:password@host`; a password that is filled in at run time is none. */
const URL_WITH_PASSWORD =
  /[a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@'"]{0,256}:(?!\$\{(?:inputs|captured)\.[^}]{0,100}\}@)[^\s/@'"]{1,2000}@/i;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Random as it looks, it is public: archives can be encrypted for it, not opened with it. */
const AGE_RECIPIENT = /^age1[02-9ac-hj-np-z1]{58,}$/;

/** Of an image, an archive, a package: what is named by its content is public. */
const DIGEST = /^[0-9a-f]{64}$/;
const BEFORE_DIGEST = 'sha256:';

export function looksSecret(text: string): SecretLooking | null {
  for (const [what, pattern] of SHAPES) {
    const match = pattern.exec(text);
    if (match) return { what, index: match.index };
  }
  const url = URL_WITH_PASSWORD.exec(text);
  if (url) return { what: 'a URL with a password', index: url.index };
  for (const match of text.matchAll(/[A-Za-z0-9_+/=-]{24,}/g)) {
    const isNamed = text.startsWith(BEFORE_DIGEST, match.index - BEFORE_DIGEST.length);
    if (isNamed && DIGEST.test(match[0])) continue;
    if (piecesOf(match[0]).some((piece) => !UUID.test(piece) && !AGE_RECIPIENT.test(piece) && looksRandom(piece)))
      return { what: 'a random value', index: match.index };
  }
  return null;
}

/** `/srv/k8s2/`: a path has names in it, and each is judged alone. Of random base64, one in a thousand begins like that. */
const PATH = /^\/?[a-z]{2}[a-z_-]*\/[\w/-]*$/;
const SHORTEST_RANDOM = 24;

function piecesOf(run: string): string[] {
  if (!PATH.test(run)) return [run];
  const names = run.split('/').flatMap((name) => (hasWord(name) ? name.split(/[_-]/) : [name]));
  return names.filter((name) => name.length >= SHORTEST_RANDOM);
}

/** What `mkdtemp` makes is a name with something random at its end. */
function hasWord(name: string): boolean {
  return name.split(/[_-]/).some((word) => /^[a-z]{4,}$/.test(word));
}

/**
 * Random text has many different characters and changes between letters, capitals and digits all the time; names, paths
 * and sentences hardly ever do. Thresholds: 24 random characters of base64 have about 4.2 bits each and change class after
 * every second one; English identifiers stay under 0.2 changes a character.
 */
function looksRandom(run: string): boolean {
  // 32 hexadecimal digits are an MD5 or 128 bits; words made of a–f only do not get that long.
  if (/(?<![A-Za-z0-9])[0-9a-f]{24,}(?![A-Za-z0-9])/i.test(run) && /\d/.test(run) && entropy(run) > 3) return true;
  const classes = Array.from(run, classOf);
  let changes = 0;
  let neighbours = 0;
  for (let index = 1; index < classes.length; index++) {
    const [before, after] = [classes[index - 1], classes[index]];
    if (before === 'mark' || after === 'mark') continue;
    neighbours++;
    // A capital before a small letter starts a word: `FooBar` changes once a word, not twice.
    if (before !== after && !(before === 'upper' && after === 'lower')) changes++;
  }
  return neighbours >= 16 && changes / neighbours >= 0.22 && entropy(run) >= 3.5;
}

function classOf(character: string): 'lower' | 'upper' | 'digit' | 'mark' {
  if (character >= 'a' && character <= 'z') return 'lower';
  if (character >= 'A' && character <= 'Z') return 'upper';
  return character >= '0' && character <= '9' ? 'digit' : 'mark';
}

/** Shannon entropy of the characters, in bits each. */
function entropy(run: string): number {
  const counts = new Map<string, number>();
  for (const character of run) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / run.length) * Math.log2(count / run.length);
  return bits;
}
