/** What is particular to mounted files: exact bytes, white space, two files for one arrangement, links, modes, directories. */
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import { redact, SecretValue } from '../../src/domain/secret-value.js';
import { ARRANGEMENTS, type Arrangement } from '../../src/domain/slot.js';
import { openStore } from '../../src/stores/open-store.js';
import { fingerprint } from './support/env-fixture.js';
import { secretsFixture, type SecretsFixture } from './support/secrets-fixture.js';

// Real processes and real fsync on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const OLD = 'old-value-1234567890';
const NEW = 'new-value-0987654321';
const make = () => new SecretValue(NEW);
const PREVIOUS = { exposure: { style: 'previous', variable: 'key_previous' } } as const;
const PAIR = { exposure: { style: 'pair', variable: 'password' } } as const;
const isRoot = process.geteuid?.() === 0;

const open: SecretsFixture[] = [];
async function fixture(files: Readonly<Record<string, string>>): Promise<SecretsFixture> {
  const secrets = await secretsFixture(files);
  open.push(secrets);
  return secrets;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((secrets) => secrets.close()));
});

async function failure(promise: Promise<unknown>): Promise<KeyturnError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KeyturnError);
  return error as KeyturnError;
}

describe('bytes', () => {
  it('a new value stands in its file with not a byte more', async () => {
    const secrets = await fixture({ key: OLD });
    await secrets.store().stage(secrets.slot('key'), 'r', make);
    await secrets.store().arrange(secrets.slot('key'), 'r', 'new only');
    expect(await readFile(secrets.path('key'))).toEqual(Buffer.from(NEW));
  });

  it.each([
    ['a line feed at the end, as echo writes it', `${OLD}\n`, /ends in a line feed/, /truncate -s -1/],
    ['a line feed of Windows', `${OLD}\r\n`, /ends in a line feed/, /truncate/],
    ['a space at the end', `${OLD} `, /white space/, /printf/],
    ['a byte-order mark', `\uFEFF${OLD}`, /white space/, /printf/],
    ['a carriage return', 'one\rtwo', /not every reader keeps/, /printf/],
    ['a NUL', 'one\0two', /not every reader keeps/, /printf/],
  ])('%s is refused: nobody can tell which reading is in use', async (_, text, message, hint) => {
    const secrets = await fixture({ key: text, other: OLD });
    const before = await secrets.snapshot();
    for (const call of [
      () => secrets.store().preflight(secrets.slot('key')),
      () => secrets.store().read(secrets.slot('key'), 'current'),
      () => secrets.store().stage(secrets.slot('key'), 'r', make),
    ]) {
      const error = await failure(call());
      expect(error).toMatchObject({ code: 'malformed', effect: 'none' });
      expect(error.message).toMatch(message);
      expect(error.hint).toMatch(hint);
      expect(error.message).not.toContain(OLD);
    }
    expect(await secrets.snapshot()).toBe(before);
    // The others are as well as ever.
    const [bad, good] = await secrets.store().describeAll([secrets.slot('key'), secrets.slot('other')]);
    expect([bad, good?.current?.length]).toEqual([null, OLD.length]);
  });

  it('around a part whatever stands there stays, a line feed at the end too', async () => {
    const secrets = await fixture({ url: `redis://:${OLD}@cache\n` });
    const slot = secrets.slot('url', { part: { url: 'password' } });
    await secrets.store().stage(slot, 'r', make);
    await secrets.store().arrange(slot, 'r', 'new only');
    expect(await secrets.text('url')).toBe(`redis://:${NEW}@cache\n`);
  });

  it('what is not UTF-8 is refused by name, without its bytes', async () => {
    const secrets = await fixture({ key: OLD });
    await rm(secrets.path('key'));
    await writeFile(secrets.path('key'), Buffer.from([0xff, 0xfe, 0x61]));
    expect(await failure(secrets.store().preflight(secrets.slot('key')))).toMatchObject({ code: 'malformed' });
  });

  it.each([
    'two\nlines\n',
    ' begins with a space',
    'ends with a tab\t',
    'bell\u0007',
    'half \ud800 a pair',
    'back\rward',
  ])('the new value %j is refused before anything is written', async (value) => {
    const secrets = await fixture({ key: OLD });
    const staged = secrets.store().stage(secrets.slot('key'), 'r', () => new SecretValue(value));
    expect(await failure(staged)).toMatchObject({ code: 'unrepresentable', effect: 'none' });
    expect(await readdir(secrets.home)).toEqual(['secrets']);
  });

  it('any value that is not refused is read back identically, and every detour leaves every byte as it was', async () => {
    const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    const second = fc.option(fc.string({ unit: 'grapheme', maxLength: 8 }), { nil: undefined });
    let carried = 0;
    await fc.assert(
      fc.asyncProperty(value, value, second, fc.boolean(), async (old, fresh, before, twice) => {
        const secrets = await secretsFixture({ key: old, ...(before !== undefined && { key_previous: before }) });
        try {
          const start = await secrets.snapshot();
          const slot = secrets.slot('key', twice ? PREVIOUS : {});
          const staged = await secrets
            .store()
            .stage(slot, 'r', () => new SecretValue(fresh))
            .catch((error: unknown) => {
              expect(['malformed', 'unrepresentable', 'same-value']).toContain((error as KeyturnError).code);
              return null;
            });
          if (staged) {
            carried += 1;
            const way = twice ? [...ARRANGEMENTS, ...ARRANGEMENTS.toReversed()] : (['new only', 'old only'] as const);
            for (const arrangement of way) {
              await secrets.store().arrange(slot, 'r', arrangement);
              expect(await secrets.text('key')).toBe(arrangement.startsWith('new') ? fresh : old);
            }
            await secrets.store().discard(slot, 'r');
          }
          expect(await secrets.snapshot()).toBe(start);
          expect(await readdir(secrets.home)).toEqual(['secrets']);
        } finally {
          await secrets.close();
        }
      }),
      { numRuns: 60 },
    );
    expect(carried).toBeGreaterThan(20);
  });
});

describe('two files', () => {
  const ways = ARRANGEMENTS.flatMap((from) => ARRANGEMENTS.map((to) => [from, to] as const)).filter(
    ([from, to]) => from !== to,
  );

  /** Stops the process between the two files, as a kill would. */
  async function brokenOff(secrets: SecretsFixture, rest: object, to: Arrangement): Promise<void> {
    let replaced = 0;
    const faultPoint = (point: string) => {
      if (/: (?:directory synced|removed)$/.test(point) && !point.startsWith('sidecar') && (replaced += 1) === 1)
        throw new Error('stopped here');
    };
    await failure(secrets.store({ faultPoint }).arrange(secrets.slot('key', rest), 'r', to));
  }

  it.each(ways)(
    'from "%s" to "%s" nothing between shows the new value alone, and the call can be repeated',
    async (from, to) => {
      for (const before of [undefined, '', 'an-older-value-still-accepted']) {
        const files = { key: OLD, ...(before !== undefined && { key_previous: before }) };
        const secrets = await fixture(files);
        const slot = secrets.slot('key', PREVIOUS);
        const shown = (one: SecretsFixture) =>
          Promise.all(['key', 'key_previous'].map((name) => one.text(name).catch(() => null)));
        await secrets.store().stage(slot, 'r', make);
        await secrets.store().arrange(slot, 'r', from);
        const start = await shown(secrets);
        await brokenOff(secrets, PREVIOUS, to);
        const between = await shown(secrets);
        expect((await secrets.store().describe(slot)).rotation).toBe('r');
        await secrets.store().arrange(slot, 'r', to);
        const end = await shown(secrets);
        const twoFiles = start[0] !== end[0] && start[1] !== end[1];
        if (twoFiles) expect(between[0]).toBe(OLD);
        if (twoFiles) expect(between[1]).not.toBe(NEW);
        else expect(between).toEqual(end);
        const clean = await fixture(files);
        await clean.store().stage(clean.slot('key', PREVIOUS), 'r', make);
        for (const each of [from, to]) await clean.store().arrange(clean.slot('key', PREVIOUS), 'r', each);
        expect(await secrets.snapshot()).toBe(await clean.snapshot());
        expect(await secrets.store().describe(slot)).toEqual(await clean.store().describe(clean.slot('key', PREVIOUS)));
      }
    },
  );

  it('half done, neither value can be destroyed', async () => {
    const secrets = await fixture({ key: OLD });
    const slot = secrets.slot('key', PREVIOUS);
    await secrets.store().stage(slot, 'r', make);
    await secrets.store().arrange(slot, 'r', 'old, accept new');
    await brokenOff(secrets, PREVIOUS, 'new, accept old');
    expect([await secrets.text('key'), await secrets.text('key_previous')]).toEqual([OLD, OLD]);
    expect(await secrets.store().describe(slot)).toMatchObject({ arrangement: 'old, accept new', previous: null });
    for (const call of ['discard', 'forget'] as const) {
      expect(await failure(secrets.store()[call](slot, 'r'))).toMatchObject({ code: 'wrong-arrangement' });
    }
    await secrets.store().arrange(slot, 'r', 'old only');
    await secrets.store().discard(slot, 'r');
    expect(await readdir(secrets.directory)).toEqual(['key']);
  });

  it('a pair half written is finished, and undone, by the next call', async () => {
    for (const to of ['new only', 'old only'] as const) {
      const secrets = await fixture({ key: 'app_v1', password: OLD });
      const slot = secrets.slot('key', PAIR);
      const before = await secrets.snapshot();
      await secrets.store().stage(slot, 'r', () => new SecretValue(JSON.stringify(['app_v2', NEW])));
      await brokenOff(secrets, PAIR, 'new only');
      expect([await secrets.text('key'), await secrets.text('password')]).toEqual(['app_v1', NEW]);
      for (const call of ['discard', 'forget'] as const) {
        expect(await failure(secrets.store()[call](slot, 'r'))).toMatchObject({ code: 'wrong-arrangement' });
      }
      await secrets.store().arrange(slot, 'r', to);
      if (to === 'old only') expect(await secrets.snapshot()).toBe(before);
      else expect([await secrets.text('key'), await secrets.text('password')]).toEqual(['app_v2', NEW]);
    }
  });

  it('a person who edits the second file between the two is heard, and the error says that something has changed', async () => {
    const secrets = await fixture({ key: OLD });
    const slot = secrets.slot('key', PREVIOUS);
    await secrets.store().stage(slot, 'r', make);
    await secrets.store().arrange(slot, 'r', 'new, accept old');
    const faultPoint = async (point: string) => {
      if (point === 'key: directory synced') await secrets.write('key_previous', 'by-hand');
    };
    const error = await failure(secrets.store({ faultPoint }).arrange(slot, 'r', 'old, accept new'));
    expect(error).toMatchObject({ code: 'changed-meanwhile', effect: 'applied' });
    expect([await secrets.text('key'), await secrets.text('key_previous')]).toEqual([OLD, 'by-hand']);
  });

  it('a second file that was there, empty, stays; one that Keyturn added goes', async () => {
    const there = await fixture({ key: OLD, key_previous: '' });
    const added = await fixture({ key: OLD });
    for (const secrets of [there, added]) {
      const slot = secrets.slot('key', PREVIOUS);
      await secrets.store().stage(slot, 'r', make);
      for (const arrangement of ARRANGEMENTS) await secrets.store().arrange(slot, 'r', arrangement);
      await secrets.store().forget(slot, 'r');
    }
    expect([await there.text('key_previous'), await readdir(added.directory)]).toEqual(['', ['key']]);
  });
});

describe('people', () => {
  it('an edit between reading and replacing is not overwritten', async () => {
    const secrets = await fixture({ key: OLD });
    await secrets.store().stage(secrets.slot('key'), 'r', make);
    const faultPoint = async (point: string) => {
      if (point === 'key: about to be replaced') await secrets.write('key', 'by-hand-1234567890');
    };
    const error = await failure(secrets.store({ faultPoint }).arrange(secrets.slot('key'), 'r', 'new only'));
    expect(error).toMatchObject({ code: 'changed-meanwhile', effect: 'none' });
    expect(await secrets.text('key')).toBe('by-hand-1234567890');
  });

  it('an edit of another file of the directory disturbs nobody', async () => {
    const secrets = await fixture({ key: OLD, other: 'x' });
    await secrets.store().stage(secrets.slot('key'), 'r', make);
    await secrets.write('other', 'changed');
    await secrets.store().arrange(secrets.slot('key'), 'r', 'new only');
    expect([await secrets.text('key'), await secrets.text('other')]).toEqual([NEW, 'changed']);
  });

  it('a name that nearly fits is proposed; an empty file is no value', async () => {
    const secrets = await fixture({ secret_key: OLD, empty: '' });
    expect(await failure(secrets.store().preflight(secrets.slot('secret_kee')))).toMatchObject({
      code: 'not-found',
      hint: 'did you mean secret_key?',
    });
    expect(await failure(secrets.store().preflight(secrets.slot('empty')))).toMatchObject({ code: 'not-found' });
  });

  it.each(['../outside', '..', '.', '', 'a/b', 'a\0b'])('the key %j leads nowhere', async (key) => {
    const secrets = await fixture({ key: OLD });
    await writeFile(join(secrets.home, 'outside'), OLD);
    expect(await failure(secrets.store().preflight(secrets.slot(key)))).toMatchObject({ code: 'malformed' });
  });
});

describe('modes and owners', () => {
  it('mode is kept; what Keyturn keeps is 0600, beside the directory and not in it', async () => {
    const secrets = await fixture({ key: OLD });
    await chmod(secrets.path('key'), 0o440);
    await secrets.store().stage(secrets.slot('key'), 'r', make);
    await secrets.store().arrange(secrets.slot('key'), 'r', 'new only');
    expect((await stat(secrets.path('key'))).mode & 0o7777).toBe(0o440);
    expect((await readdir(secrets.home)).sort()).toEqual(['secrets', 'secrets.keyturn']);
    expect((await stat(join(secrets.home, 'secrets.keyturn'))).mode & 0o7777).toBe(0o600);
    expect(await readdir(secrets.directory)).toEqual(['key']);
  });

  it('a second file can be read by whoever reads the first, and by nobody else on the way there', async () => {
    const secrets = await fixture({ key: OLD });
    await chmod(secrets.path('key'), 0o444);
    if (isRoot) await chown(secrets.path('key'), 12_345, 23_456);
    const slot = secrets.slot('key', PREVIOUS);
    await secrets.store().stage(slot, 'r', make);
    const born: number[] = [];
    const faultPoint = async (point: string) => {
      if (point !== 'key_previous: temporary created') return;
      const [temporary = ''] = (await readdir(secrets.directory)).filter((name) => name.endsWith('.tmp'));
      born.push((await stat(secrets.path(temporary))).mode & 0o7777);
    };
    await secrets.store({ faultPoint }).arrange(slot, 'r', 'old, accept new');
    expect(born).toEqual([0o600]);
    const [first, second] = await Promise.all(['key', 'key_previous'].map((name) => stat(secrets.path(name))));
    expect([second?.mode, second?.uid, second?.gid]).toEqual([first?.mode, first?.uid, first?.gid]);
  });

  it('a file that everybody can read is remarked upon, unless nobody gets into the directory', async () => {
    const secrets = await fixture({ key: OLD });
    await chmod(secrets.path('key'), 0o444);
    expect((await secrets.store().preflight(secrets.slot('key'))).summary).not.toContain('every user');
    await chmod(secrets.directory, 0o755);
    const { summary, facts } = await secrets.store().preflight(secrets.slot('key'));
    expect(summary).toContain('WARNING: every user of the machine can read the file');
    expect(facts).toMatchObject({ mode: '0444', readableByOthers: true });
  });
});

describe('links and directories', () => {
  it('a link inside the directory stays a link; the file behind it is replaced', async () => {
    const secrets = await fixture({});
    await mkdir(secrets.path('generation-1'));
    await writeFile(join(secrets.path('generation-1'), 'key'), OLD, { mode: 0o400 });
    await symlink('generation-1', secrets.path('current'));
    await symlink('current/key', secrets.path('key'));
    const slot = secrets.slot('key');
    await secrets.store().preflight(slot);
    await secrets.store().stage(slot, 'r', make);
    await secrets.store().arrange(slot, 'r', 'new only');
    expect(await readlink(secrets.path('key'))).toBe('current/key');
    expect((await lstat(secrets.path('current'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(secrets.path('generation-1'), 'key'), 'utf8')).toBe(NEW);
    expect((await stat(join(secrets.path('generation-1'), 'key'))).mode & 0o7777).toBe(0o400);
  });

  it('a directory as Kubernetes makes it can be read, and is refused before it is changed', async () => {
    const secrets = await fixture({});
    await mkdir(secrets.path('..2026_11_21_10_00_00.123'));
    await writeFile(join(secrets.path('..2026_11_21_10_00_00.123'), 'key'), OLD);
    await symlink('..2026_11_21_10_00_00.123', secrets.path('..data'));
    await symlink('..data/key', secrets.path('key'));
    const slot = secrets.slot('key');
    expect((await secrets.store().read(slot, 'current')).reveal()).toBe(OLD);
    expect(await failure(secrets.store().preflight(slot))).toMatchObject({
      code: 'not-writable',
      effect: 'none',
      hint: expect.stringContaining('the Secret in the cluster') as string,
    });
  });

  it.each([
    ['out of the directory', (secrets: SecretsFixture) => join(secrets.home, 'elsewhere')],
    ['to nothing', (secrets: SecretsFixture) => secrets.path('nothing')],
  ])('a link %s is refused', async (_, target) => {
    const secrets = await fixture({});
    await writeFile(join(secrets.home, 'elsewhere'), OLD);
    await symlink(target(secrets), secrets.path('key'));
    expect(['not-writable', 'not-found']).toContain(
      (await failure(secrets.store().preflight(secrets.slot('key')))).code,
    );
  });

  it('a directory under two names has one lock and one set of versions', async () => {
    const secrets = await fixture({ key: OLD });
    await symlink('secrets', join(secrets.home, 'alias'));
    const store = openStore({ type: 'docker-secrets', directory: join(secrets.home, 'alias') }, { fingerprint });
    await store.stage(secrets.slot('key'), 'r', make);
    expect((await secrets.store().read(secrets.slot('key'), 'pending')).reveal()).toBe(NEW);
    expect((await readdir(secrets.home)).sort()).toEqual(['alias', 'secrets', 'secrets.keyturn']);
  });

  it('a hard link, a directory that is none and one that does not exist are found out in preflight', async () => {
    const secrets = await fixture({ key: OLD, file: 'x' });
    await link(secrets.path('key'), join(secrets.home, 'other-name'));
    expect(await failure(secrets.store().preflight(secrets.slot('key')))).toMatchObject({ code: 'not-writable' });
    const at = (directory: string) => openStore({ type: 'docker-secrets', directory }, { fingerprint });
    const slot = secrets.slot('key');
    expect(await failure(at(secrets.path('file')).preflight(slot))).toMatchObject({ code: 'not-writable' });
    expect(await failure(at(join(secrets.home, 'none')).preflight(slot))).toMatchObject({ code: 'not-found' });
  });
});

it('every value that was met is known to redact', async () => {
  const secrets = await fixture({
    key: 'value-that-redact-should-know-1',
    key_previous: 'value-that-redact-should-know-2',
  });
  await secrets.store().describe(secrets.slot('key', PREVIOUS));
  for (const name of ['key', 'key_previous']) {
    expect(redact(`x ${await secrets.text(name)} x`)).not.toContain(await secrets.text(name));
  }
});
