/** What a generator makes: how long at least, with how much randomness, out of which characters. */

export interface GeneratorStrength {
  readonly shortest: number;
  readonly bits: number;
  /** Whether a value can contain this text. */
  readonly mayContain: (text: string) => boolean;
}

/** @param generator matches GENERATOR_PATTERN. @param secretName stands in test values. */
export function strengthOf(generator: string, secretName: string): GeneratorStrength {
  const [kind = '', count = '32'] = generator.split(':');
  const bytes = Number(count);
  const made = (shortest: number, alphabet: RegExp): GeneratorStrength => ({
    shortest,
    bits: bytes * 8,
    mayContain: (text) => alphabet.test(text),
  });
  switch (kind) {
    case 'hex':
      return made(bytes * 2, /^[0-9a-f]*$/);
    case 'base64':
      return made(Math.ceil(bytes / 3) * 4, /^[A-Za-z0-9+/=]*$/);
    case 'base64url':
      return made(Math.ceil((bytes * 4) / 3), /^[A-Za-z0-9_-]*$/);
    case 'fernet':
      // 32 random bytes in padded base64url.
      return made(44, /^[A-Za-z0-9_=-]*$/);
    default:
      // `test-NAME-` and hex digits.
      return made(`test-${secretName}-`.length + bytes * 2, /^[a-z0-9_.-]*$/);
  }
}
