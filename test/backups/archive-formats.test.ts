import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { armor, generateHybridIdentity, generateIdentity, identityToRecipient } from 'age-encryption';
import { execa } from 'execa';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AgeFormat, parseIdentities } from '../../src/backups/age.js';
import { GpgFormat } from '../../src/backups/gpg.js';
import { formatOf } from '../../src/backups/open-format.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { archiveFormatContract } from '../contracts/archive-format.contract.js';

// Deriving a key from a passphrase is slow on purpose.
vi.setConfig({ testTimeout: 120_000 });

const running = new AbortController().signal;
const passphrase = randomBytes(24).toString('base64');
const hasGpg = (await execa('gpg', ['--version'], { reject: false })).exitCode === 0;
if (!hasGpg) console.warn('skipped: gpg is not installed');

const identities = await Promise.all([generateIdentity(), generateIdentity(), generateHybridIdentity()]);
const recipients = await Promise.all(identities.map((identity) => identityToRecipient(identity)));
const [mine, other, hybrid] = identities.map((identity) => new SecretValue(identity));
const [myRecipient, otherRecipient, hybridRecipient] = recipients;

archiveFormatContract('age', {
  own: () => Promise.resolve(new AgeFormat([otherRecipient!, myRecipient!], [mine!])),
  stranger: () => Promise.resolve(new AgeFormat([], [new SecretValue(identities[2])])),
  unprovable: () => Promise.resolve(new AgeFormat([otherRecipient!], [mine!])),
  bare: (archive) => Buffer.from(armor.decode(archive.toString('latin1'))),
});

describe.runIf(hasGpg)('gpg', () => {
  archiveFormatContract('gpg', {
    own: () => Promise.resolve(new GpgFormat(new SecretValue(passphrase))),
    stranger: () => Promise.resolve(new GpgFormat(new SecretValue(`${passphrase}.`))),
    unprovable: () => Promise.resolve(new GpgFormat(new SecretValue('short'))),
    bare: (archive) => {
      const lines = archive.toString('latin1').split('\n\n')[1]!.split('\n');
      return Buffer.from(lines.filter((line) => !/^[=-]/.test(line)).join(''), 'base64');
    },
  });
});

describe('age', () => {
  it('opens with any of several recipients, also a post-quantum one', async () => {
    const archive = await new AgeFormat(recipients, []).encrypt(Buffer.from('plain'), running);
    for (const identity of [mine, other, hybrid]) {
      expect((await new AgeFormat([], [identity!]).decrypt(archive, running)).toString()).toBe('plain');
    }
    expect(await new AgeFormat([hybridRecipient!], [hybrid!]).preflight(running)).toBeDefined();
  });

  it('reads identity files as age-keygen writes them', () => {
    const file = `# created: 2026-11-21\r\n# public key: ${myRecipient!}\r\n${identities[0]}\r\n\n${identities[2]}\n`;
    expect(parseIdentities(new SecretValue(file)).map((one) => one.reveal())).toEqual([identities[0], identities[2]]);
  });

  it('refuses what is no identity by its line, and never quotes it', () => {
    const wrong = identities[0].slice(0, -3);
    for (const [file, place] of [
      [`# mine\n${wrong}`, 'line 2'],
      ['', 'no age identity'],
      [myRecipient!, 'line 1'],
    ] as const) {
      let error: unknown;
      try {
        parseIdentities(new SecretValue(file));
      } catch (reason) {
        error = reason;
      }
      expect(error).toMatchObject({ code: 'key-malformed' });
      expect(inspect(error)).toContain(place);
      expect(inspect(error)).not.toContain(wrong.slice(20));
    }
  });

  it('refuses an identity with a typing error, and never quotes it', async () => {
    const last = identities[0].at(-1) === 'Q' ? 'P' : 'Q';
    const wrong = new SecretValue(`${identities[0].slice(0, -1)}${last}`);
    const format = new AgeFormat([myRecipient!], [wrong]);
    const archive = await new AgeFormat([myRecipient!], []).encrypt(Buffer.from('x'), running);
    for (const attempt of [format.preflight(running), format.decrypt(archive, running)]) {
      const error: unknown = await attempt.catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'key-malformed' });
      expect(inspect(error)).not.toContain(wrong.reveal().slice(20));
    }
  });

  it('opens what another implementation has made', async () => {
    const archive = await readFile('test/fixtures/backups/made-by-rage.age');
    const identity = new SecretValue(await readFile('test/fixtures/backups/identity-of-tests.txt', 'utf8'));
    const plain = await formatOf(archive, { identity }).decrypt(archive, running);
    expect(plain.toString()).toBe('made by another implementation of age\n');
  });
});

describe.runIf(hasGpg)('gpg', () => {
  it.each(['', 'two\nlines of a long passphrase', 'with\r a carriage return', 'with a \u0000 character'])(
    'refuses a passphrase that is not one line: %j',
    async (text) => {
      const format = new GpgFormat(new SecretValue(text));
      await expect(format.encrypt(Buffer.from('x'), running)).rejects.toMatchObject({ code: 'key-malformed' });
    },
  );

  it('takes a passphrase with spaces and letters of any script', async () => {
    const format = new GpgFormat(new SecretValue('  пароль schön und lang, 合言葉  '));
    expect((await format.decrypt(await format.encrypt(Buffer.from('x'), running), running)).toString()).toBe('x');
  });

  it('encrypts with AES-256 and an iterated SHA-512, as people can check with gpg itself', async () => {
    const archive = await new GpgFormat(new SecretValue(passphrase)).encrypt(Buffer.from('plain'), running);
    const home = await mkdtemp(join(tmpdir(), 'keyturn-gpg-test-'));
    const options = [
      '--homedir',
      home,
      '--batch',
      '--no-autostart',
      '--pinentry-mode',
      'loopback',
      '--passphrase',
      passphrase,
    ];
    const shown = await execa('gpg', [...options, '--list-packets'], { input: archive });
    expect(shown.stdout).toMatch(/symkey enc packet: version 4, cipher 9, aead 0, ?s2k 3, hash 10/);
    expect(shown.stdout).toMatch(/count 65011712/);
    const plain = await execa('gpg', [...options, '--decrypt'], { input: archive });
    expect(plain.stdout).toBe('plain');
    await rm(home, { recursive: true });
  });
});

describe.runIf(hasGpg)('one run of gpg', () => {
  const path = process.env['PATH'];
  let bin = '';
  afterEach(async () => {
    process.env['PATH'] = path;
    await rm(bin, { recursive: true, force: true });
  });

  /** A `gpg` that notes what it was started with, and then is the real one. */
  async function watched(script: string): Promise<void> {
    bin = await mkdtemp(join(tmpdir(), 'keyturn-gpg-watched-'));
    const real = (await execa('which', ['gpg'])).stdout;
    await writeFile(join(bin, 'gpg'), `#!/bin/sh\n${script.replaceAll('REAL', real).replaceAll('BIN', bin)}\n`, {
      mode: 0o755,
    });
    process.env['PATH'] = `${bin}:${path ?? ''}`;
  }
  const homes = async (): Promise<string[]> =>
    (await readdir(tmpdir())).filter((name) => name.startsWith('keyturn-gpg-') && !bin.endsWith(name));

  it('has neither passphrase nor plaintext among its arguments and variables, nor in any file', async () => {
    await watched(
      `cat /proc/$$/cmdline /proc/$$/environ >> BIN/seen; echo >> BIN/seen; "REAL" "$@"; code=$?
       ls -laR "$GNUPGHOME" >> BIN/listed; cat "$GNUPGHOME"/* >> BIN/seen 2>/dev/null; exit $code`,
    );
    const before = await homes();
    const plaintext = `a plaintext of this test ${randomBytes(8).toString('hex')}`;
    const format = new GpgFormat(new SecretValue(passphrase));
    const archive = await format.encrypt(Buffer.from(plaintext), running);
    expect((await format.decrypt(archive, running)).toString()).toBe(plaintext);
    const seen = await readFile(join(bin, 'seen'), 'latin1');
    expect(seen).toContain('--passphrase-fd');
    expect(seen).not.toContain(passphrase);
    expect(seen).not.toContain(plaintext);
    // The home is the owner's alone, while it is there.
    expect(await readFile(join(bin, 'listed'), 'utf8')).toMatch(/^drwx------.* \.$/m);
    expect(await homes()).toEqual(before);
  });

  it('starts no agent', async () => {
    await watched('echo "$GNUPGHOME" >> BIN/homes; exec "REAL" "$@"');
    const format = new GpgFormat(new SecretValue(passphrase));
    await format.decrypt(await format.encrypt(Buffer.from('x'), running), running);
    const used = (await readFile(join(bin, 'homes'), 'utf8')).trim().split('\n');
    expect(used).toHaveLength(2);
    const processes = (await execa('ps', ['-eo', 'args'])).stdout;
    for (const home of used) expect(processes).not.toContain(home);
  });

  it('is ended, and its home removed, when the caller gives up', async () => {
    await watched('echo $$ > BIN/pid; exec sleep 100');
    const before = await homes();
    const given = new AbortController();
    const attempt = new GpgFormat(new SecretValue(passphrase)).encrypt(Buffer.from('x'), given.signal);
    const caught = attempt.catch((error: unknown) => error);
    await vi.waitFor(() => readFile(join(bin, 'pid'), 'utf8').then((text) => expect(text).toMatch(/\d/)), 30_000);
    given.abort(new Error('gone'));
    expect(await caught).toMatchObject({ message: 'gone' });
    const pid = Number(await readFile(join(bin, 'pid'), 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(await homes()).toEqual(before);
  });

  it('that is not installed is told with what to do', async () => {
    bin = await mkdtemp(join(tmpdir(), 'keyturn-gpg-watched-'));
    process.env['PATH'] = bin;
    const error: unknown = await new GpgFormat(new SecretValue(passphrase)).preflight(running).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'program-not-started', message: 'gpg cannot be started (ENOENT)' });
  });

  it('whose output is a flood is ended', async () => {
    await watched('exec cat /dev/zero');
    const format = new GpgFormat(new SecretValue(passphrase));
    await expect(format.decrypt(Buffer.from('x'), running)).rejects.toMatchObject({ code: 'archive-damaged' });
  });
});
