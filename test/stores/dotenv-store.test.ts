/** What is particular to dotenv files: bytes, duplicates, lists, second variables, people and processes meanwhile. */
import {
  chmod,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import { redact, SecretValue } from '../../src/domain/secret-value.js';
import { ARRANGEMENTS } from '../../src/domain/slot.js';
import { openStore } from '../../src/stores/open-store.js';
import { envFixture, fingerprint, type EnvFixture } from './support/env-fixture.js';

// Real processes and real fsync on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const NEW = 'new-value-0987654321';
const make = () => new SecretValue(NEW);
const PREVIOUS = { exposure: { style: 'previous', variable: 'K_PREVIOUS' } } as const;
const LIST = { exposure: { style: 'list', separator: ',' } } as const;
const PAIR = { exposure: { style: 'pair', variable: 'P' } } as const;
const pair = (user: string, password: string): string => JSON.stringify([user, password]);

const open: EnvFixture[] = [];
async function fixture(text: string): Promise<EnvFixture> {
  const env = await envFixture(text);
  open.push(env);
  return env;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((env) => env.close()));
});

async function failure(promise: Promise<unknown>): Promise<KeyturnError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KeyturnError);
  return error as KeyturnError;
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

describe('bytes', () => {
  it.each([
    [
      'comments, order, export',
      '# a\n\nA=1\n  export K=old-value # c\n#K=no\nB="2"\n',
      '  export K=new-value-0987654321 # c',
    ],
    ['single quotes', "K='old value'\n", `K='${NEW}'`],
    ['double quotes', 'K="old value"\n', `K="${NEW}"`],
    ['CRLF', `A=1\r\nK='old'\r\nB=2\r\n`, `K='${NEW}'\r`],
    ['no final newline', 'A=1\nK=old', `K=${NEW}`],
    ['a byte-order mark', '\uFEFFK=old\nA=1\n', `\uFEFFK=${NEW}`],
    ['a multi-line neighbour', `P='-----BEGIN\nK=not this\n-----END'\nK=old\n`, `K=${NEW}`],
    ['a multi-line value', `A=1\nK='one\ntwo' # c\nB=1\n`, `K='${NEW}' # c`],
    ['tabs and blank lines', '\n\t\n\tK=old # c\t\n\n', `\tK=${NEW} # c\t`],
    ['lines that are no assignments', 'source other\n[ -f x ]\nK=old\n', ''],
  ])('%s: only the value changes, and undoing gives the same bytes', async (_, text, line) => {
    const env = await fixture(text);
    const slot = env.slot('K');
    if (line === '') {
      // Compose cannot read such a file at all, and says where.
      expect(await failure(env.store().preflight(slot))).toMatchObject({ code: 'malformed' });
      return;
    }
    await env.store().preflight(slot);
    await env.store().stage(slot, 'r', make);
    await env.store().arrange(slot, 'r', 'new only');
    const changed = (await env.text()).split('\n');
    expect(changed.some((each) => each === line)).toBe(true);
    expect(changed.filter((each) => !each.includes(NEW)).every((each) => text.includes(each))).toBe(true);
    await env.store().arrange(slot, 'r', 'old only');
    await env.store().discard(slot, 'r');
    expect(await env.text()).toBe(text);
    expect(await readdir(env.directory)).toEqual(['.env']);
  });

  it('any file: a full detour through all arrangements and back leaves every byte as it was', async () => {
    const value = fc.string({
      unit: fc.constantFrom(...Array.from(`abc019_-./+=$#'" \\`)),
      minLength: 1,
      maxLength: 12,
    });
    const other = fc.oneof(
      fc.constantFrom(
        '# comment',
        "# it's",
        '',
        '\t',
        "Q='a b' # c",
        'export E="x"',
        'DUP=1',
        'DUP=2',
        "M='l1\nl2'",
        'U=ü',
      ),
    );
    const file = fc.record({
      before: fc.array(other, { maxLength: 4 }),
      after: fc.array(other, { maxLength: 4 }),
      quote: fc.constantFrom('', "'", '"'),
      head: fc.constantFrom('', 'export ', ' '),
      tail: fc.constantFrom('', ' # signs'),
      second: fc.constantFrom(undefined, 'K_PREVIOUS=', `K_PREVIOUS=''`, 'export K_PREVIOUS="older" # x'),
      password: fc.constantFrom(undefined, `P='older one' # x`, 'export P=older', 'P="a-b"'),
      secondFirst: fc.boolean(),
      freshUser: value,
      newline: fc.constantFrom('\n', '\r\n'),
      final: fc.boolean(),
      old: value,
      fresh: value,
      exposure: fc.constantFrom({ style: 'single' } as const, LIST.exposure, PREVIOUS.exposure, PAIR.exposure),
    });
    let carried = 0;
    let pairs = 0;
    await fc.assert(
      fc.asyncProperty(file, async (f) => {
        const key = `${f.head}K=${f.quote}${f.old}${f.quote}${f.tail}`;
        const isPair = f.exposure.style === 'pair';
        const second = isPair ? f.password : f.second;
        const both = second === undefined ? [key] : f.secondFirst ? [second, key] : [key, second];
        const fresh = isPair ? pair(f.freshUser, f.fresh) : f.fresh;
        const lines = [...f.before, ...both, ...f.after];
        const text = lines.join('\n').replaceAll('\n', f.newline) + (f.final ? f.newline : '');
        const env = await envFixture(text);
        try {
          const slot = env.slot('K', { exposure: f.exposure });
          try {
            await env.store().stage(slot, 'r', () => new SecretValue(fresh));
          } catch (error) {
            expect(error).toMatchObject({ name: 'KeyturnError', effect: 'none' });
            expect(await env.text()).toBe(text);
            expect(await readdir(env.directory)).toEqual(['.env']);
            return;
          }
          carried += 1;
          if (isPair) pairs += 1;
          const takesOne = isPair || f.exposure.style === 'single';
          const all = ARRANGEMENTS.filter((each) => !takesOne || !each.includes('accept'));
          for (const arrangement of [...all, ...[...all].reverse()]) {
            expect((await env.store().arrange(slot, 'r', arrangement)).arrangement).toBe(arrangement);
          }
          await env.store().discard(slot, 'r');
          expect(await env.text()).toBe(text);
        } finally {
          await env.close();
        }
      }),
      { numRuns: Number(process.env['KEYTURN_FUZZ_RUNS'] ?? 120) },
    );
    expect(carried).toBeGreaterThan(5);
    expect(pairs).toBeGreaterThan(0);
  }, 600_000);

  it('keeps mode and owner, and gives the sidecar 0600', async () => {
    const env = await fixture('K=old\n');
    await chmod(env.path, 0o640);
    const before = await stat(env.path);
    await env.store().stage(env.slot('K'), 'r', make);
    await env.store().arrange(env.slot('K'), 'r', 'new only');
    const after = await stat(env.path);
    expect([after.mode, after.uid, after.gid]).toEqual([before.mode, before.uid, before.gid]);
    expect(((await stat(`${env.path}.keyturn`)).mode & 0o777).toString(8)).toBe('600');
  });

  it('refuses a file that is not UTF-8, naming the line', async () => {
    const env = await fixture('');
    await writeFile(env.path, Buffer.from('A=1\nK=old\n# caf\xe9\n', 'latin1'));
    expect(await failure(env.store().preflight(env.slot('K')))).toMatchObject({ code: 'malformed', message: /line 3/ });
  });
});

describe('what is refused', () => {
  it('a key that stands there twice, with its lines', async () => {
    const env = await fixture('K=one-value\nA=1\nexport K=two-value\n');
    const error = await failure(env.store().preflight(env.slot('K')));
    expect(error).toMatchObject({ code: 'malformed', effect: 'none' });
    expect(error.message).toContain('lines 1, 3');
  });

  it('not duplicates of other keys: they stay, and preflight names them', async () => {
    const env = await fixture('A=1\nK=old\nA=2\n');
    expect((await env.store().preflight(env.slot('K'))).facts).toMatchObject({
      duplicatesOfOtherKeys: 'A (lines 1, 3)',
    });
    await env.store().stage(env.slot('K'), 'r', make);
    await env.store().arrange(env.slot('K'), 'r', 'new only');
    expect(await env.text()).toBe(`A=1\nK=${NEW}\nA=2\n`);
  });

  it.each([
    ['a reference', 'P=1\nK=postgres://u:${P}@h/d\n'],
    ['spaces around =', 'K = value\n'],
    ['a colon', 'K: value\n'],
    ['a bare name', 'K\nA=1\n'],
    ['a hash that only some take for a comment', 'K=abc#def\n'],
    ['an unclosed quote above', `A='x\nK=value-of-k\n`],
    ['backticks', 'K=`value`\n'],
  ])('%s in the present value', async (_, text) => {
    const env = await fixture(text);
    const error = await failure(env.store().stage(env.slot('K'), 'r', make));
    expect(error.code).toBe('malformed');
    expect(await env.text()).toBe(text);
  });

  it('an empty or missing key, with a guess at what was meant', async () => {
    const env = await fixture('SESSION_SECRETS=x\nK=\n');
    expect(await failure(env.store().preflight(env.slot('K')))).toMatchObject({
      code: 'not-found',
      message: /:2: K is empty/,
    });
    const missing = await failure(env.store().preflight(env.slot('SESSION_SECRET')));
    expect(missing).toMatchObject({ code: 'not-found', hint: 'did you mean SESSION_SECRETS?' });
  });

  it('a missing file', async () => {
    const env = await fixture('K=old\n');
    await rm(env.path);
    expect(await failure(env.store().preflight(env.slot('K')))).toMatchObject({ code: 'not-found' });
  });

  it('a sidecar that Keyturn has not written, without showing what it holds', async () => {
    const env = await fixture('K=old\n');
    await writeFile(`${env.path}.keyturn`, '{"version":1,"entries":{"K":{"new":"planted-secret-value"}}}');
    const error = await failure(env.store().describe(env.slot('K')));
    expect(error.code).toBe('malformed');
    expect(`${error.message} ${String(error.hint)}`).not.toContain('planted');
  });

  it('a sidecar of a later version', async () => {
    const env = await fixture('K=old\n');
    await writeFile(`${env.path}.keyturn`, '{"version":2,"entries":{}}');
    expect((await failure(env.store().stage(env.slot('K'), 'r', make))).code).toBe('malformed');
  });
});

describe('lists', () => {
  it('keeps further accepted values until the new one stands alone', async () => {
    const env = await fixture('K=first-value,second-value # two\n');
    const slot = env.slot('K', LIST);
    expect((await env.store().preflight(slot)).facts).toMatchObject({ acceptedValues: 2 });
    await env.store().stage(slot, 'r', make);
    const lines: string[] = [];
    for (const arrangement of ARRANGEMENTS) {
      await env.store().arrange(slot, 'r', arrangement);
      lines.push((await env.text()).trim());
    }
    expect(lines).toEqual([
      'K=first-value,second-value # two',
      `K=first-value,${NEW},second-value # two`,
      `K=${NEW},first-value,second-value # two`,
      `K=${NEW} # two`,
    ]);
    expect((await env.store().read(slot, 'previous')).reveal()).toBe('first-value');
  });

  it.each(['with,comma', ' space-first', 'space-last '])('refuses the new value %j', async (value) => {
    const env = await fixture('K=first\n');
    const slot = env.slot('K', LIST);
    expect((await failure(env.store().stage(slot, 'r', () => new SecretValue(value)))).code).toBe('unrepresentable');
  });

  it.each(["'first, second'", 'first,', ',first', 'a,,b'])('refuses the present list %s', async (raw) => {
    const env = await fixture(`K=${raw}\n`);
    expect((await failure(env.store().preflight(env.slot('K', LIST)))).code).toBe('malformed');
  });

  it('refuses a new value that is accepted already', async () => {
    const env = await fixture(`K=first,${NEW}\n`);
    expect((await failure(env.store().stage(env.slot('K', LIST), 'r', make))).code).toBe('same-value');
  });
});

describe('second variables', () => {
  it('adds a line below, exported alike, and takes it out again', async () => {
    const env = await fixture(`A=1\nexport K='old' # c\nB=2`);
    const slot = env.slot('K', PREVIOUS);
    await env.store().stage(slot, 'r', make);
    await env.store().arrange(slot, 'r', 'old, accept new');
    expect(await env.text()).toBe(`A=1\nexport K='old' # c\nexport K_PREVIOUS='${NEW}'\nB=2`);
    await env.store().arrange(slot, 'r', 'new, accept old');
    expect(await env.text()).toBe(`A=1\nexport K='${NEW}' # c\nexport K_PREVIOUS='old'\nB=2`);
    await env.store().arrange(slot, 'r', 'new only');
    expect(await env.text()).toBe(`A=1\nexport K='${NEW}' # c\nB=2`);
  });

  it('empties one that was there before, because its earlier value must not be accepted again', async () => {
    const env = await fixture(`K=old\nK_PREVIOUS="older" # x\n`);
    const slot = env.slot('K', PREVIOUS);
    await env.store().stage(slot, 'r', make);
    await env.store().arrange(slot, 'r', 'new only');
    expect(await env.text()).toBe(`K=${NEW}\nK_PREVIOUS="" # x\n`);
    await env.store().forget(slot, 'r');
    expect(await env.text()).toBe(`K=${NEW}\nK_PREVIOUS="" # x\n`);
  });

  it('holds the whole URL when the secret is a part of one', async () => {
    const env = await fixture(`K='amqp://u:old-pass@h:1/v'\n`);
    const slot = env.slot('K', { ...PREVIOUS, part: { url: 'password' } });
    await env.store().stage(slot, 'r', () => new SecretValue('n/w@pass'));
    await env.store().arrange(slot, 'r', 'new, accept old');
    expect(await env.text()).toBe(`K='amqp://u:n%2Fw%40pass@h:1/v'\nK_PREVIOUS='amqp://u:old-pass@h:1/v'\n`);
  });

  it('cannot be the variable itself', async () => {
    const env = await fixture('K=old\n');
    const slot = env.slot('K', { exposure: { style: 'previous', variable: 'K' } });
    expect((await failure(env.store().preflight(slot))).code).toBe('malformed');
    expect((await failure(env.store().stage(slot, 'r', make))).code).toBe('malformed');
  });
});

describe('user and password in two variables', () => {
  const NEXT = pair('app_v2', NEW);
  const stagePair = (env: EnvFixture, rotation = 'r', value = NEXT) =>
    env.store().stage(env.slot('K', PAIR), rotation, () => new SecretValue(value));

  it('change together, in one replacement of the file, and go back to the byte', async () => {
    const text = `# db\nexport P="old-pass" # secret\nA=1\nK=app_v1 # who\n`;
    const env = await fixture(text);
    const replaced: string[] = [];
    const store = env.store({
      faultPoint: async (point) => {
        if (point.startsWith('env file: ')) replaced.push(`${point} ${(await env.text()) === text ? 'old' : 'new'}`);
      },
    });
    const slot = env.slot('K', PAIR);
    await stagePair(env);
    await store.arrange(slot, 'r', 'new only');
    expect(await env.text()).toBe(`# db\nexport P="${NEW}" # secret\nA=1\nK=app_v2 # who\n`);
    expect(replaced.filter((point) => point.startsWith('env file: about to be replaced'))).toHaveLength(1);
    expect((await env.store().read(slot, 'current')).reveal()).toBe(NEXT);
    expect((await env.store().read(slot, 'previous')).reveal()).toBe(pair('app_v1', 'old-pass'));
    await store.arrange(slot, 'r', 'old only');
    await store.discard(slot, 'r');
    expect(await env.text()).toBe(text);
    expect(await readdir(env.directory)).toEqual(['.env']);
  });

  it.each([
    ['the user', (text: string) => text.replace(/^K=.*$/m, 'K=by_hand')],
    ['the password', (text: string) => text.replace(/^P=.*$/m, 'P=by-hand-password')],
  ])('are not overwritten when a person has changed %s', async (_, change) => {
    for (const arrangement of ['old only', 'new only'] as const) {
      const env = await fixture('K=app_v1\nP=old-pass\n');
      const slot = env.slot('K', PAIR);
      await stagePair(env);
      await env.store().arrange(slot, 'r', arrangement);
      const edited = change(await env.text());
      await env.write(edited);
      for (const next of ['old only', 'new only'] as const) {
        const error = await failure(env.store().arrange(slot, 'r', next));
        expect(error).toMatchObject({ code: 'changed-meanwhile', effect: 'none' });
        expect(error.message).toContain('K or P');
      }
      // Half of the new one is still shown: it may not be destroyed.
      if (arrangement === 'new only') {
        expect((await failure(env.store().discard(slot, 'r'))).code).toBe('wrong-arrangement');
        expect((await failure(env.store().forget(slot, 'r'))).code).toBe('changed-meanwhile');
      } else await env.store().discard(slot, 'r');
      expect(await env.text()).toBe(edited);
    }
  });

  it('may keep the user: a new password in place', async () => {
    const env = await fixture('K=app\nP=old-pass\n');
    const slot = env.slot('K', PAIR);
    await stagePair(env, 'r', pair('app', NEW));
    expect((await env.store().describe(slot)).arrangement).toBe('old only');
    await env.store().arrange(slot, 'r', 'new only');
    expect(await env.text()).toBe(`K=app\nP=${NEW}\n`);
    await env.store().forget(slot, 'r');
    expect(await readdir(env.directory)).toEqual(['.env']);
  });

  it.each([
    ['no user', 'P=old-pass\n', 'not-found'],
    ['no password', 'K=app_v1\n', 'not-found'],
    ['an empty password', 'K=app_v1\nP=\n', 'not-found'],
    ['the password twice', 'K=app_v1\nP=a-value\nP=b-value\n', 'malformed'],
    ['a password that programs read differently', 'K=app_v1\nP=a#b\n', 'malformed'],
  ])('%s: preflight and stage say so', async (_, text, code) => {
    const env = await fixture(text);
    expect((await failure(env.store().preflight(env.slot('K', PAIR)))).code).toBe(code);
    expect((await failure(stagePair(env))).code).toBe(code);
    expect(await env.text()).toBe(text);
  });

  it('preflight names both places', async () => {
    const env = await fixture('K=app_v1\nA=1\nP=old-pass\n');
    const evidence = await env.store().preflight(env.slot('K', PAIR));
    expect(evidence.summary).toContain('K and P stand once each');
    expect(evidence.summary).toContain('(line 1, 3)');
    expect(evidence.facts).toMatchObject({ secondVariable: true });
  });

  it.each(['plain-text-value', '["only-one"]', '["a","b","c"]', '["app",5]', '["","password"]', '{"a":"b"}'])(
    'the new value %s is refused before anything is written',
    async (value) => {
      const env = await fixture('K=app_v1\nP=old-pass\n');
      const error = await failure(stagePair(env, 'r', value));
      expect(error).toMatchObject({ code: 'unrepresentable', effect: 'none' });
      expect(await readdir(env.directory)).toEqual(['.env']);
    },
  );

  it('the same pair, however it is written, is the same value', async () => {
    const env = await fixture('K=app_v1\nP=old-pass\n');
    expect((await failure(stagePair(env, 'r', '[ "app_v1", "old\\u002dpass" ]'))).code).toBe('same-value');
  });

  it('a password is never shown, a user name may be: redaction leaves it legible', async () => {
    const env = await fixture('K=legible_user_name\nP=planted-pass-word\n');
    const slot = env.slot('K', PAIR);
    await stagePair(env, 'r', pair('legible_next_user', 'planted-next-pass'));
    await env.store().arrange(slot, 'r', 'new only');
    await env.store().describe(slot);
    const text = 'legible_user_name legible_next_user planted-pass-word planted-next-pass';
    expect(redact(text)).toBe('legible_user_name legible_next_user [secret] [secret]');
  });

  it('share no variable with another secret, and are no part of one', async () => {
    const env = await fixture(`K=app_v1\nP=old-pass\nQ=other\nU='postgres://u:p-word@h/d'\n`);
    await stagePair(env);
    for (const slot of [
      env.slot('P'),
      env.slot('Q', { exposure: { style: 'pair', variable: 'P' } }),
      env.slot('Q', { exposure: { style: 'pair', variable: 'K' } }),
      env.slot('P', { exposure: { style: 'pair', variable: 'Q' } }),
      env.slot('Q', { exposure: { style: 'previous', variable: 'P' } }),
    ]) {
      const value = slot.exposure.style === 'pair' ? pair('x', 'y-value') : NEW;
      const error = await failure(env.store().stage(slot, 'r2', () => new SecretValue(value)));
      expect(error.code).toBe('other-rotation');
    }
    const itself = env.slot('Q', { exposure: { style: 'pair', variable: 'Q' } });
    expect((await failure(env.store().preflight(itself))).code).toBe('malformed');
    const ofPart = env.slot('U', { part: { url: 'user' }, exposure: { style: 'pair', variable: 'Q' } });
    expect((await failure(env.store().preflight(ofPart))).code).toBe('malformed');
  });
});

describe('two secrets in one file', () => {
  it('rotate independently, also user and password of one URL', async () => {
    const env = await fixture(`URL=postgres://app:p%40ss@h/d # db\nOTHER=other-old\n`);
    const user = env.slot('URL', { part: { url: 'user' } });
    const password = env.slot('URL', { part: { url: 'password' } });
    const before = await env.text();
    await env.store().stage(user, 'r1', () => new SecretValue('app_new'));
    await env.store().stage(password, 'r2', make);
    await env.store().stage(env.slot('OTHER'), 'r3', () => new SecretValue('other-new'));
    await env.store().arrange(user, 'r1', 'new only');
    await env.store().arrange(password, 'r2', 'new only');
    await env.store().arrange(env.slot('OTHER'), 'r3', 'new only');
    expect(await env.text()).toBe(`URL=postgres://app_new:${NEW}@h/d # db\nOTHER=other-new\n`);
    for (const [slot, rotation] of [
      [user, 'r1'],
      [env.slot('OTHER'), 'r3'],
      [password, 'r2'],
    ] as const) {
      await env.store().arrange(slot, rotation, 'old only');
      await env.store().discard(slot, rotation);
    }
    expect(await env.text()).toBe(before);
  });

  it('are refused when they overlap', async () => {
    const env = await fixture(`K='amqp://u:old-pass@h:1/v'\nK_PREVIOUS=x-value\n`);
    await env.store().stage(env.slot('K', { ...PREVIOUS, part: { url: 'password' } }), 'r1', make);
    expect((await failure(env.store().stage(env.slot('K'), 'r2', make))).code).toBe('other-rotation');
    expect((await failure(env.store().stage(env.slot('K_PREVIOUS'), 'r2', make))).code).toBe('other-rotation');
  });
});

describe('people meanwhile', () => {
  it('other lines edited during a rotation stay edited', async () => {
    const env = await fixture('A=1\nK=old\n');
    const slot = env.slot('K', PREVIOUS);
    await env.store().stage(slot, 'r', make);
    await env.store().arrange(slot, 'r', 'new, accept old');
    await env.write(`${(await env.text()).replace('A=1', 'A=2 # edited')}C=3\n`);
    await env.store().arrange(slot, 'r', 'old only');
    await env.store().discard(slot, 'r');
    expect(await env.text()).toBe('A=2 # edited\nK=old\nC=3\n');
  });

  it('an edit of another line between read and rename is kept, and the change made on top of it', async () => {
    const env = await fixture('A=1\nK=old\n');
    let edits = 0;
    const store = env.store({
      faultPoint: async (point) => {
        if (point === 'env file: about to be replaced' && (edits += 1) === 1) await env.write('A=2\nK=old\n');
      },
    });
    await store.stage(env.slot('K'), 'r', make);
    await store.arrange(env.slot('K'), 'r', 'new only');
    expect(await env.text()).toBe(`A=2\nK=${NEW}\n`);
  });

  it('an edit of the value itself between read and rename is not overwritten', async () => {
    const env = await fixture('K=old\n');
    const store = env.store({
      faultPoint: async (point) => {
        if (point === 'env file: about to be replaced') await env.write('K=by-hand\n');
      },
    });
    await store.stage(env.slot('K'), 'r', make);
    const error = await failure(store.arrange(env.slot('K'), 'r', 'new only'));
    expect(error).toMatchObject({ code: 'changed-meanwhile', effect: 'none' });
    expect(await env.text()).toBe('K=by-hand\n');
    expect((await readdir(env.directory)).sort()).toEqual(['.env', '.env.keyturn']);
  });

  it('a file that never rests is left alone, and the call may be repeated', async () => {
    const env = await fixture('A=0\nK=old\n');
    let edits = 0;
    const store = env.store({
      faultPoint: async (point) => {
        if (point === 'env file: about to be replaced') await env.write(`A=${String((edits += 1))}\nK=old\n`);
      },
    });
    await store.stage(env.slot('K'), 'r', make);
    const error = await failure(store.arrange(env.slot('K'), 'r', 'new only'));
    expect(error).toMatchObject({ code: 'changed-meanwhile', effect: 'none', retryable: true });
    expect(await env.text()).toBe(`A=${String(edits)}\nK=old\n`);
  });

  it('the value requoted by hand is still the same value', async () => {
    const env = await fixture('K=old\n');
    await env.store().stage(env.slot('K'), 'r', make);
    await env.write(`K='old'   # requoted\n`);
    await env.store().arrange(env.slot('K'), 'r', 'new only');
    expect(await env.text()).toBe(`K='${NEW}'   # requoted\n`);
  });

  it('a removed line is not put back', async () => {
    const env = await fixture('A=1\nK=old\n');
    await env.store().stage(env.slot('K'), 'r', make);
    await env.write('A=1\n');
    expect((await failure(env.store().arrange(env.slot('K'), 'r', 'new only'))).code).toBe('not-found');
    expect(await env.text()).toBe('A=1\n');
  });
});

describe('links and other files', () => {
  it('a symlink stays one, and its target is replaced', async () => {
    const env = await fixture('');
    await mkdir(join(env.directory, 'shared'));
    await rename(env.path, join(env.directory, 'shared/env'));
    await writeFile(join(env.directory, 'shared/env'), 'K=old\n');
    await symlink('shared/env', env.path);
    await env.store().preflight(env.slot('K'));
    await env.store().stage(env.slot('K'), 'r', make);
    await env.store().arrange(env.slot('K'), 'r', 'new only');
    expect((await lstat(env.path)).isSymbolicLink()).toBe(true);
    expect(await readFile(join(env.directory, 'shared/env'), 'utf8')).toBe(`K=${NEW}\n`);
    expect((await readdir(join(env.directory, 'shared'))).sort()).toEqual(['env', 'env.keyturn']);
  });

  it('a symlink out of the directory is refused, unless a wider root is given', async () => {
    const env = await fixture('K=old\n');
    await mkdir(join(env.directory, 'current'));
    const spec = { type: 'dotenv', file: join(env.directory, 'current/.env') } as const;
    await symlink('../.env', spec.file);
    const slot = { ...env.slot('K'), store: spec };
    expect(await failure(openStore(spec, { fingerprint }).preflight(slot))).toMatchObject({
      code: 'not-writable',
      message: /outside/,
    });
    expect((await failure(openStore(spec, { fingerprint }).stage(slot, 'r', make))).code).toBe('not-writable');
    await openStore(spec, { fingerprint, root: env.directory }).preflight(slot);
  });

  it('a file with hard links, and what is not a file, are refused', async () => {
    const env = await fixture('K=old\n');
    await link(env.path, join(env.directory, 'second-name'));
    expect(await failure(env.store().preflight(env.slot('K')))).toMatchObject({
      code: 'not-writable',
      message: /hard links/,
    });
    await rm(env.path);
    await mkdir(env.path);
    expect((await failure(env.store().preflight(env.slot('K')))).code).toBe('not-writable');
  });

  it('a file that all can read is warned about', async () => {
    const env = await fixture('K=old\n');
    await chmod(env.path, 0o644);
    expect((await env.store().preflight(env.slot('K'))).facts).toMatchObject({ readableByOthers: true, mode: '0644' });
    await chmod(env.path, 0o600);
    expect((await env.store().preflight(env.slot('K'))).facts).toMatchObject({ readableByOthers: false });
  });
});

describe('two attempts at once', () => {
  it('a paused attempt that lost its lock writes nothing when it goes on', async () => {
    const env = await fixture('K=old\n');
    await env.store().stage(env.slot('K'), 'r', make);
    const paused = deferred();
    const goOn = deferred();
    const slow = env.store({
      faultPoint: async (point) => {
        if (point !== 'env file: about to be replaced') return;
        paused.resolve();
        await goOn.promise;
      },
    });
    const stale = failure(slow.arrange(env.slot('K'), 'r', 'new only'));
    await paused.promise;
    // Nobody takes the lock of a live process …
    const impatient = env.store({ lock: { patience: 60, foreignAge: 60_000 } });
    expect(await failure(impatient.arrange(env.slot('K'), 'r', 'new only'))).toMatchObject({
      code: 'busy',
      retryable: true,
    });
    expect(await env.text()).toBe('K=old\n');
    // … but a person may remove it.
    await rm(`${env.path}.keyturn.lock`);
    await env.store().discard(env.slot('K'), 'r');
    await env.store().stage(env.slot('K'), 'r2', () => new SecretValue('value-of-another-run'));
    goOn.resolve();
    expect(await stale).toMatchObject({ code: 'busy', effect: 'none' });
    expect(await env.text()).toBe('K=old\n');
  });

  it.each([
    ['a process that is gone', () => ({ pid: 2 ** 22 + 1 }), 0],
    ['a process whose number another one has now', () => ({ started: '1' }), 0],
    ['another machine, a minute ago', () => ({ machine: 'elsewhere' }), 61_000],
    ['nobody: the file is empty', () => null, 6_000],
  ])('a lock left by %s is taken over', async (_, change, age) => {
    const env = await fixture('K=old\n');
    const lock = `${env.path}.keyturn.lock`;
    let own = '';
    await env
      .store({
        faultPoint: async (point) => {
          if (point === 'locked') own = await readFile(lock, 'utf8');
        },
      })
      .discard(env.slot('K'), 'r');
    const holder = change();
    await writeFile(lock, holder ? JSON.stringify({ ...(JSON.parse(own) as object), ...holder }) : '');
    await utimes(lock, new Date(Date.now() - age), new Date(Date.now() - age));
    await env.store().stage(env.slot('K'), 'r', make);
    expect((await readdir(env.directory)).sort()).toEqual(['.env', '.env.keyturn']);
  });

  it('a lock of another machine that is fresh is waited for', async () => {
    const env = await fixture('K=old\n');
    await writeFile(
      `${env.path}.keyturn.lock`,
      JSON.stringify({ token: 't', machine: 'elsewhere', pid: 1, started: '1' }),
    );
    const store = env.store({ lock: { patience: 60, foreignAge: 60_000 } });
    expect((await failure(store.stage(env.slot('K'), 'r', make))).code).toBe('busy');
  });

  it('many at once on one file lose nothing', async () => {
    const keys = Array.from({ length: 12 }, (_, index) => `K${String(index)}`);
    const env = await fixture(keys.map((key) => `${key}=old-${key}\n`).join(''));
    await Promise.all(
      keys.map(async (key) => {
        await env.store().stage(env.slot(key), `r-${key}`, () => new SecretValue(`new-${key}`));
        await env.store().arrange(env.slot(key), `r-${key}`, 'new only');
        await env.store().forget(env.slot(key), `r-${key}`);
      }),
    );
    expect(await env.text()).toBe(keys.map((key) => `${key}=new-${key}\n`).join(''));
    expect(await readdir(env.directory)).toEqual(['.env']);
  });
});

describe('what a failure says about the file', () => {
  it('says "applied" once the file was replaced, also when it cannot be read back', async () => {
    const env = await fixture('K=old-value-1234567890\n');
    const slot = env.slot('K');
    await env.store().stage(slot, 'r1', make);
    const faultPoint = async (point: string): Promise<void> => {
      // A person's editor saves a second K right then.
      if (point === 'env file: directory synced') await env.write(`${await env.text()}K=typo\n`);
    };
    const error = await failure(env.store({ faultPoint }).arrange(slot, 'r1', 'new only'));
    expect(error).toMatchObject({ code: 'malformed', effect: 'applied' });
  });

  it('says "none" when the file was refused before it was replaced', async () => {
    const env = await fixture('K=old-value-1234567890\n');
    const slot = env.slot('K');
    await env.store().stage(slot, 'r1', make);
    await env.write('K=old-value-1234567890\nK=typo\n');
    const error = await failure(env.store().arrange(slot, 'r1', 'new only'));
    expect(error).toMatchObject({ code: 'malformed', effect: 'none' });
  });
});
