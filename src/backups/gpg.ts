/** Archives under a passphrase, as document 004 makes them by hand: `gpg --symmetric --cipher-algo AES256`. `gpg -d FILE` opens them too. */
import { KeyturnError } from '../domain/errors.js';
import type { Evidence } from '../domain/evidence.js';
import type { SecretValue } from '../domain/secret-value.js';
import { oneLine } from '../processes/safe-text.js';
import type { ArchiveFormat } from './archive-format.js';
import { runGpg, type GpgEnded } from './gpg-process.js';

/** The most that S2K can be told (RFC 4880, 3.7.1.3): a guess costs whoever finds the print a second too. */
const S2K_COUNT = '65011712';
/** An archive lies around for months where it can be copied: 16 characters are six words of a word list, or 80 random bits. */
const SHORTEST_PASSPHRASE = 16;

export class GpgFormat implements ArchiveFormat {
  readonly name = 'gpg';

  constructor(private readonly passphrase: SecretValue) {}

  /** Encrypts and decrypts a word, in memory. */
  async preflight(signal: AbortSignal): Promise<Evidence> {
    if (this.passphrase.length < SHORTEST_PASSPHRASE) {
      const message = `the passphrase has ${this.passphrase.length} characters, fewer than ${SHORTEST_PASSPHRASE}`;
      throw new KeyturnError('key-malformed', message, {
        hint: 'six random words, or openssl rand -base64 24: whoever copies the archive can try passphrases for years',
      });
    }
    const word = Buffer.from('keyturn');
    const back = await this.decrypt(await this.encrypt(word, signal), signal);
    if (!back.equals(word)) throw new KeyturnError('program-failed', 'gpg does not decrypt what it encrypts');
    return { summary: 'gpg encrypts with AES-256 and decrypts again' };
  }

  async encrypt(plaintext: Uint8Array, signal: AbortSignal): Promise<Buffer> {
    const s2k = ['--s2k-mode', '3', '--s2k-digest-algo', 'SHA512', '--s2k-count', S2K_COUNT];
    const args = [
      '--symmetric',
      '--cipher-algo',
      'AES256',
      ...s2k,
      '--compress-algo',
      'none',
      '--force-mdc',
      '--armor',
    ];
    const ended = await this.run(args, plaintext, signal);
    if (ended.exitCode === 0 && ended.status.some((line) => line.startsWith('END_ENCRYPTION'))) return ended.stdout;
    throw new KeyturnError('program-failed', `gpg did not encrypt (exit ${ended.exitCode ?? 'by a signal'})`, {
      ...(ended.stderr === '' ? {} : { diagnosis: oneLine(ended.stderr) }),
    });
  }

  async decrypt(archive: Uint8Array, signal: AbortSignal): Promise<Buffer> {
    const ended = await this.run(['--decrypt'], archive, signal);
    // GOODMDC: what was decrypted is what was encrypted. gpg prints a plaintext that it then finds to be altered.
    const { exitCode, status, stdout } = ended;
    if (exitCode === 0 && status.includes('DECRYPTION_OKAY') && status.includes('GOODMDC')) return stdout;
    stdout.fill(0);
    throw refusal(ended);
  }

  private async run(args: readonly string[], input: Uint8Array, signal: AbortSignal): Promise<GpgEnded> {
    // gpg reads one line, as bytes up to a line feed.
    if (this.passphrase.length === 0 || /[\r\n\u0000]/.test(this.passphrase.reveal())) {
      throw new KeyturnError('key-malformed', 'a passphrase is one line of text, and not empty');
    }
    return await runGpg(args, { input, passphrase: this.passphrase }, signal);
  }
}

export function isGpg(archive: Uint8Array): boolean {
  const start = Buffer.from(archive.subarray(0, 64)).toString('latin1').trimStart();
  // Binary: a symmetric-key encrypted session key packet, tag 3, in either of RFC 4880's forms.
  return start.startsWith('-----BEGIN PGP MESSAGE-----') || [0x8c, 0xc3].includes(archive[0] ?? 0);
}

function refusal({ status, stderr }: GpgEnded): KeyturnError {
  const diagnosis = stderr === '' ? {} : { diagnosis: oneLine(stderr) };
  // 11: GPG_ERR_BAD_PASSPHRASE, from the session key that does not decrypt.
  if (
    status.some((line) => /\b11_BAD_PASSPHRASE\b|^ERROR \S+ (?:\d+_)?BAD_PASSPHRASE/.test(line)) ||
    /Bad session key/.test(stderr)
  ) {
    return new KeyturnError('wrong-key', 'the passphrase does not open this archive', {
      ...diagnosis,
      hint: 'offer the passphrase that it was made with; it may have been replaced since',
    });
  }
  return new KeyturnError(
    'archive-damaged',
    'the archive is damaged: gpg cannot decrypt and authenticate it',
    diagnosis,
  );
}
