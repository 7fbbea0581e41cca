/** What every way to encrypt an archive must do; run against real implementations only. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ArchiveFormat } from '../../src/backups/archive-format.js';
import { KeyturnError } from '../../src/domain/errors.js';

export interface ArchiveFormatFixture {
  /** Encrypts, and decrypts what it has encrypted. */
  readonly own: () => Promise<ArchiveFormat>;
  /** Has another key than `own`. */
  readonly stranger: () => Promise<ArchiveFormat>;
  /** Encrypts like `own`, and could not open it again. */
  readonly unprovable: () => Promise<ArchiveFormat>;
  /** The bytes inside the armor. */
  readonly bare: (archive: Buffer) => Buffer;
}

const running = new AbortController().signal;

export function archiveFormatContract(name: string, fixture: ArchiveFormatFixture): void {
  describe(`${name}: what every archive's encryption must do`, () => {
    const texts: [string, Buffer][] = [
      ['nothing', Buffer.alloc(0)],
      ['a line', Buffer.from('a line\n')],
      ['every byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
      ['a hundred kilobytes', randomBytes(100_000)],
    ];
    it.each(texts)('gives back %s byte for byte', async (_, plaintext) => {
      const format = await fixture.own();
      const archive = await format.encrypt(plaintext, running);
      expect((await format.decrypt(archive, running)).equals(plaintext)).toBe(true);
    });

    it('makes lines of ASCII that do not show the plaintext, and never the same twice', async () => {
      const format = await fixture.own();
      const plaintext = Buffer.from('a value that must not be seen');
      const [one, other] = [await format.encrypt(plaintext, running), await format.encrypt(plaintext, running)];
      expect(one.toString('latin1')).toMatch(/^-----BEGIN [A-Z ]+-----\n[\x20-\x7e\n]+\n-----END [A-Z ]+-----\n$/);
      expect(one.includes('must not be seen')).toBe(false);
      expect(fixture.bare(one).includes('must not be seen')).toBe(false);
      expect(one.equals(other)).toBe(false);
    });

    it('opens an archive without its armor, and one with Windows line ends', async () => {
      const format = await fixture.own();
      const archive = await format.encrypt(Buffer.from('plain'), running);
      expect((await format.decrypt(fixture.bare(archive), running)).toString()).toBe('plain');
      const windows = Buffer.from(archive.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
      expect((await format.decrypt(windows, running)).toString()).toBe('plain');
    });

    it('does not open with another key, and says that it is the key', async () => {
      const archive = await (await fixture.own()).encrypt(Buffer.from('plain'), running);
      const stranger = await fixture.stranger();
      await expect(stranger.decrypt(archive, running)).rejects.toMatchObject({ code: 'wrong-key', effect: 'none' });
    });

    it('finds every truncation and every altered byte, and gives nothing of it away', async () => {
      const format = await fixture.own();
      const bare = fixture.bare(await format.encrypt(randomBytes(60), running));
      const lengths = [0, 1, 20, Math.floor(bare.length / 2), bare.length - 20, bare.length - 1];
      const flips = [0, 3, Math.floor(bare.length / 3), bare.length - 30, bare.length - 1];
      const damaged = [
        ...lengths.map((length) => bare.subarray(0, length)),
        ...flips.map((index) => Buffer.from(bare.map((byte, at) => (at === index ? byte ^ 1 : byte)))),
      ];
      for (const archive of damaged) {
        const error: unknown = await format.decrypt(archive, running).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(KeyturnError);
        // A header that was altered may read as one for somebody else.
        expect(['archive-damaged', 'wrong-key']).toContain((error as KeyturnError).code);
      }
    });

    it('says of what is no archive that it is damaged', async () => {
      const format = await fixture.own();
      await expect(format.decrypt(Buffer.from('SECRET=1\n'), running)).rejects.toMatchObject({
        code: 'archive-damaged',
      });
    });

    it('preflight passes when a restore can be proven, and not when it cannot', async () => {
      expect((await (await fixture.own()).preflight(running)).summary).not.toBe('');
      const error: unknown = await (await fixture.unprovable()).preflight(running).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ name: 'KeyturnError', effect: 'none' });
      expect((error as KeyturnError).hint).toBeTruthy();
    });

    it('does nothing for a caller that has given up', async () => {
      const format = await fixture.own();
      await expect(format.encrypt(Buffer.from('x'), AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
      await expect(format.decrypt(Buffer.from('x'), AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    });
  });
}
