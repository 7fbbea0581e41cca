/**
 * A secret in memory. It cannot be printed, logged, serialised or interpolated by accident: only `reveal()` gives the
 * text, and only adapters call that. Every value met by this process is remembered (bounded) so that `redact` can take
 * it out of messages that come from elsewhere: a driver's error, a container's log lines.
 */
const REMEMBERED = 4_096;
const SHORTEST = 6;
const MASK = '[secret]';
/** Value → every form in which it may stand in a text, made once. */
const known = new Map<string, readonly string[]>();

export class SecretValue {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    remember(text);
  }

  reveal(): string {
    return this.#text;
  }

  equals(other: SecretValue): boolean {
    return this.#text === other.#text;
  }

  get length(): number {
    return this.#text.length;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return MASK;
  }
}

/**
 * Takes every value this process has met out of `text`, also where it stands URL-encoded, JSON-escaped, in hex or in base64
 * (at any place in what was encoded: only the outermost character on either side, which mixes with its neighbour, may stay).
 */
export function redact(text: string): string {
  const present = [...known.values()].flat().filter((form) => text.includes(form));
  // The longest first: where one value begins with another, the rest of it must not stay.
  return [...new Set(present)]
    .sort((one, other) => other.length - one.length)
    .reduce((clean, form) => clean.replaceAll(form, MASK), text);
}

function remember(text: string): void {
  // Shorter texts would blank out ordinary words; nothing this short passes a minimum strength anyway.
  if (text.length < SHORTEST) return;
  const all = known.get(text) ?? formsOf(text);
  known.delete(text);
  known.set(text, all);
  if (known.size > REMEMBERED) {
    const oldest = known.keys().next().value;
    if (oldest !== undefined) known.delete(oldest);
  }
}

/** All the ways in which a value may be written, itself among them; none is shorter than what is worth masking. */
export function formsOf(value: string): string[] {
  // What is encoded has no half characters: encoders put U+FFFD there, or throw.
  const whole = value.replace(/\p{Surrogate}/gu, '\ufffd');
  const bytes = new TextEncoder().encode(whole);
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const all = [
    value,
    whole,
    JSON.stringify(value).slice(1, -1),
    encodeURI(whole),
    encodeURIComponent(whole),
    new URLSearchParams({ v: whole }).toString().slice(2),
    hex,
    hex.toUpperCase(),
  ];
  for (const encoded of base64Forms(bytes)) {
    all.push(encoded, encoded.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return [...new Set(all)].filter((form) => form.length >= SHORTEST);
}

/** Whole, and as it stands after 0, 1 or 2 other bytes without the characters that mix with them or with what follows. */
function base64Forms(bytes: Uint8Array): string[] {
  const encode = (input: Iterable<number>): string =>
    btoa([...input].map((byte) => String.fromCharCode(byte)).join('')).replace(/=+$/, '');
  const within = [0, 1, 2].map((before) => {
    const encoded = encode([...new Array<number>(before).fill(0), ...bytes]);
    const mixesWithNext = (before + bytes.length) % 3 !== 0;
    return encoded.slice(before === 0 ? 0 : before + 1, mixesWithNext ? -1 : undefined);
  });
  return [encode(bytes), ...within];
}
