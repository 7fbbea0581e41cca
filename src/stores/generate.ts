/** New values, from the operating system's random source. */
import { randomBytes } from 'node:crypto';
import { KeyturnError } from '../domain/errors.js';
import { SecretValue } from '../domain/secret-value.js';

interface Format {
  readonly bytes: number;
  readonly write: (random: Buffer) => string;
}

const GENERATOR = /^(?:(hex|base64|base64url|test):([1-9]\d{0,2})|fernet)$/;
/** Fernet (github.com/fernet/spec): 128 bits to sign with and 128 bits to encrypt with. */
const FERNET_BYTES = 32;

/**
 * `hex:N`, `base64:N` (padded), `base64url:N` (not padded: Python's `token_urlsafe(N)`), `fernet` (base64url of 32 bytes,
 * padded) and, for development, `test:N`: `test-NAME-` and hex digits. N is the number of random bytes.
 * @throws KeyturnError `bad-generator`.
 */
export function generateValue(generator: string, secretName: string): SecretValue {
  const { bytes, write } = formatOf(generator, secretName);
  return new SecretValue(write(randomBytes(bytes)));
}

/** The number of characters that `generateValue` gives. @throws KeyturnError `bad-generator`. */
export function generatedLength(generator: string, secretName: string): number {
  const { bytes, write } = formatOf(generator, secretName);
  return write(Buffer.alloc(bytes)).length;
}

function formatOf(generator: string, secretName: string): Format {
  const match = GENERATOR.exec(generator);
  if (!match) {
    throw new KeyturnError('bad-generator', `"${generator}" is not a generator`, {
      hint: 'write hex:32, base64:32, base64url:48, fernet or test:16',
    });
  }
  const bytes = Number(match[2]);
  switch (match[1]) {
    case 'hex':
      return { bytes, write: (random) => random.toString('hex') };
    case 'base64':
      return { bytes, write: (random) => random.toString('base64') };
    case 'base64url':
      return { bytes, write: (random) => random.toString('base64url') };
    case 'test':
      return { bytes, write: (random) => `test-${secretName.toLowerCase()}-${random.toString('hex')}` };
    default:
      // Standard base64 of 32 bytes ends in "=", and Fernet wants it.
      return { bytes: FERNET_BYTES, write: (random) => `${random.toString('base64url')}=` };
  }
}
