/** Archives for age recipients (age-encryption.org/v1), by the library of age's author. `age -d -i FILE` opens them too. */
import { KeyturnError } from '../domain/errors.js';
import type { Evidence } from '../domain/evidence.js';
import { SecretValue } from '../domain/secret-value.js';
import type { ArchiveFormat } from './archive-format.js';

const IDENTITY = /^AGE-SECRET-KEY-(?:PQ-)?1[02-9AC-HJ-NP-Z]{58}$/;
/** What the library says when the header names none of our keys; everything else it says means damage. */
const NOT_FOR_US = "no identity matched any of the file's recipients";

export class AgeFormat implements ArchiveFormat {
  readonly name = 'age';

  /** @param recipients checked by the inventory; none where archives are only opened. */
  constructor(
    private readonly recipients: readonly string[],
    private readonly identities: readonly SecretValue[],
  ) {}

  async preflight(signal: AbortSignal): Promise<Evidence> {
    signal.throwIfAborted();
    const { identityToRecipient } = await age();
    const own = await Promise.all(this.identities.map((identity) => known(identityToRecipient(identity.reveal()))));
    if (!own.some((recipient) => this.recipients.includes(recipient))) {
      throw new KeyturnError(
        'wrong-key',
        'the identity that restores are proven with belongs to none of the recipients',
        {
          hint: 'add its recipient (age-keygen -y FILE prints it) to the backup, or name the identity of one that is there',
        },
      );
    }
    const count = this.recipients.length;
    return { summary: `age, ${count} recipient${count === 1 ? '' : 's'}, the identity of the proof is one of them` };
  }

  async encrypt(plaintext: Uint8Array, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    const { armor, Encrypter } = await age();
    const encrypter = new Encrypter();
    for (const recipient of this.recipients) encrypter.addRecipient(recipient);
    return Buffer.from(armor.encode(await encrypter.encrypt(plaintext)), 'latin1');
  }

  async decrypt(archive: Uint8Array, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    const { armor, Decrypter } = await age();
    const decrypter = new Decrypter();
    for (const identity of this.identities) {
      try {
        decrypter.addIdentity(identity.reveal());
      } catch {
        throw malformed();
      }
    }
    try {
      return Buffer.from(await decrypter.decrypt(isArmored(archive) ? armor.decode(textOf(archive)) : archive));
    } catch (error) {
      if (error instanceof Error && error.message === NOT_FOR_US) {
        throw new KeyturnError('wrong-key', 'the archive is encrypted for other recipients than this identity’s', {
          hint: 'offer the identity of one of the recipients that the backup named when the archive was made',
        });
      }
      throw new KeyturnError('archive-damaged', 'the archive is damaged: what it holds cannot be authenticated');
    }
  }
}

/** A file as age-keygen writes it: comments, and one identity a line. @throws KeyturnError `key-malformed` with the line's number. */
export function parseIdentities(file: SecretValue): SecretValue[] {
  const lines = file.reveal().split(/\r?\n/);
  const identities = lines.flatMap((line, index) => {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) return [];
    if (!IDENTITY.test(text)) throw malformed(index + 1);
    return [new SecretValue(text)];
  });
  if (identities.length === 0) throw malformed();
  return identities;
}

export function isAge(archive: Uint8Array): boolean {
  return isArmored(archive) || textOf(archive.subarray(0, 21)) === 'age-encryption.org/v1';
}

function isArmored(archive: Uint8Array): boolean {
  return textOf(archive.subarray(0, 64)).trimStart().startsWith('-----BEGIN AGE ENCRYPTED FILE-----');
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** The library's message quotes what it cannot read. */
async function known(recipient: Promise<string>): Promise<string> {
  try {
    return await recipient;
  } catch {
    throw malformed();
  }
}

function malformed(line?: number): KeyturnError {
  const where = line === undefined ? '' : ` in line ${line}`;
  return new KeyturnError('key-malformed', `there is no age identity${where} where one is expected`, {
    hint: 'AGE-SECRET-KEY-1…, as age-keygen writes it; lines that begin with # are comments',
  });
}

/** Loaded by who needs it: its post-quantum parts take 150 ms of every start. */
const age = () => import('age-encryption');
