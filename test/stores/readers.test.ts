/** The models in src/stores/dotenv/readers against the programs they stand for. KEYTURN_FUZZ_RUNS raises the number of files. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { READERS, readEverywhere } from '../../src/stores/dotenv/agreement.js';
import { waysToWrite } from '../../src/stores/dotenv/quoting.js';
import { realReaders, type RealReader } from './support/real-readers.js';

const RUNS = Number(process.env['KEYTURN_FUZZ_RUNS'] ?? 60);
/** The same files each time, unless more are asked for: a search belongs to whoever has time to follow up what it finds. */
const SEED = process.env['KEYTURN_FUZZ_RUNS'] === undefined ? { seed: 20_261_121 } : {};

let directory: string;
let readers: readonly RealReader[] = [];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-readers-'));
  readers = await realReaders();
}, 120_000);
afterAll(async () => {
  for (const reader of readers) reader.close();
  await rm(directory, { recursive: true, force: true });
});

async function fileWith(text: string): Promise<string> {
  const file = join(directory, 'f.env');
  await writeFile(file, text);
  return file;
}

/** Compares every model with its program: what the model calls literal must be what the program reads. */
async function compareAll(text: string, keys: readonly string[], except?: string): Promise<void> {
  const file = await fileWith(text);
  for (const real of readers.filter((reader) => reader.model !== except)) {
    const model = READERS.find((reader) => reader.name === real.model)!.read(text);
    const seen = await real.see(file, keys);
    // Bash has read the lines before the one that it cannot parse; but what it then makes of it depends on its version.
    if (real.model === 'bash' && model.brokenAt !== undefined) continue;
    if (seen === 'broken' || model.brokenAt !== undefined) {
      expect([real.name, seen === 'broken', text]).toEqual([real.name, model.brokenAt !== undefined, text]);
      continue;
    }
    for (const [index, key] of keys.entries()) {
      const reading = model.variables.get(key);
      // Bash sets some variables that the model does not follow (`A=1 >file`): there it errs on the side of refusing.
      if (reading ? !reading.literal : real.model === 'bash') continue;
      expect([real.name, key, seen[index], text]).toEqual([real.name, key, reading?.value, text]);
    }
  }
}

describe('models of the readers', () => {
  it.each([
    ['bare', 'A=b\n'],
    ['no final newline', 'A=b'],
    ['empty', 'A=\nB=1\n'],
    ['quotes', `A='x y'\nB="x y"\n`],
    ['inline comments', `A=b # c\nB='x' # it's\nC="y" # "z"\n`],
    ['hash inside', `A=b#c\nB='b#c'\nC="b#c"\n`],
    ['export', `export A=1\nexport\tB='2'\n`],
    ['spaces around =', 'A = 1\nB= 2\nC =3\n'],
    ['colon', 'A: 1\n'],
    ['bare name', 'A\nB=1\n'],
    ['several lines', `A='one\ntwo'\nB="three\nfour"\n`],
    ['backslashes', `A='a\\b'\nB='a\\\\b'\nC="a\\nb"\nD=a\\b\n`],
    ['escaped quotes', `A='a\\'b'\nB="a\\"b"\n`],
    ['dollar', `A='$B'\nB="$C"\nC=$D\nD='\${E}'\n`],
    ['unicode', `A=ü\nB='ß\u00a0€'\nC="日本"\n`],
    ['JSON', `A={"a":1}\nB='{"a":1}'\n`],
    ['a URL with &', `A=postgres://u:p@h/d?a=1&b=2\nB='postgres://u:p@h/d?a=1&b=2'\n`],
    ['tilde', 'A=~\nB=a:~\nC=a~b\n'],
    ['two in one line', 'A=1 B=2\n'],
    ['text after quotes', `A='b'c\nB=x'y'\n`],
    ['operators', 'A=1\nA=a>b\nB=&{\nB=\nC=1\nC=2|b\n'],
    ['a template that is none', 'A=${\nB=1\n'],
    ['a template in quotes', 'A="\\\\${"\nB=1\n'],
    ['an escaped template', 'A="\\${x"\nB=\'${\'\nC="$"\n'],
    ['unterminated', `A='b\nB=1\n`],
    ['comments with quotes', `# it's\nA=1\n#"\nB=2\n`],
    ['blank lines', '\n\n  \nA=1\n\t\nB=2\n'],
  ])('%s: each reads as its program does', async (_, text) => {
    await compareAll(text, ['A', 'B', 'C', 'D']);
  });

  it('a byte-order mark and CRLF: npm dotenv, python-dotenv and Compose read as their programs do', async () => {
    await compareAll(`\uFEFFA=1\r\nB='2'\r\nC="3" # c\r\n`, ['A', 'B', 'C'], 'bash');
  });

  it('any file: what a model calls literal is what its program reads, and it fails where its program fails', async () => {
    const value = fc
      .array(fc.constantFrom(...Array.from(`'"\`#\\$ =\n\t;&|(){}~!ab:ü n`)), { maxLength: 9 })
      .map((characters) => characters.join(''));
    const wrapped = fc
      .tuple(fc.constantFrom('', '', "'", '"', '`'), value, fc.constantFrom('', '', ' # c', ' '))
      .map(([quote, text, tail]) => `${quote}${text}${quote}${tail}`);
    const line = fc.tuple(fc.constantFrom('', 'export ', ' '), fc.constantFrom('K1', 'K2', 'K3'), wrapped);
    const file = fc
      .array(line, { minLength: 1, maxLength: 3 })
      .map((lines) => lines.map(([head, key, text]) => `${head}${key}=${text}\n`).join(''));
    await fc.assert(
      fc.asyncProperty(file, (text) => compareAll(text, ['K1', 'K2', 'K3'])),
      { ...SEED, numRuns: RUNS },
    );
  }, 600_000);
});

describe('writing a value', () => {
  const nasty = fc
    .array(
      fc.oneof(
        fc.constantFrom(...Array.from(`'"\`#\\$ ={}~!ab,:;&|\n€ü`)),
        fc.string({ unit: 'grapheme', maxLength: 2 }),
      ),
      {
        minLength: 1,
        maxLength: 12,
      },
    )
    .map((parts) => parts.join(''));

  it('reads back identically from every program, or is refused before', async () => {
    const file = fc.array(fc.tuple(nasty, fc.constantFrom('none', 'single', 'double')), {
      minLength: 10,
      maxLength: 25,
    });
    await fc.assert(
      fc.asyncProperty(file, async (values) => {
        let text = '# values\n';
        const expected = new Map<string, string>();
        for (const [index, [value, style]] of values.entries()) {
          const key = `K${index}`;
          const raw = waysToWrite(value, style as 'none').find((way) => {
            const agreement = readEverywhere(`${text}${key}=${way} # kept\n`, key);
            return 'value' in agreement && agreement.value === value;
          });
          if (raw === undefined) continue;
          text += `${key}=${raw} # kept\n`;
          expected.set(key, value);
        }
        const path = await fileWith(text);
        for (const reader of readers) {
          expect([reader.name, await reader.see(path, [...expected.keys()])]).toEqual([
            reader.name,
            [...expected.values()],
          ]);
        }
      }),
      { ...SEED, numRuns: Math.max(10, RUNS / 6), endOnFailure: true },
    );
  }, 600_000);

  it.each([
    'abc123',
    'a$b',
    '$HOME',
    "it's",
    'say "hi"',
    'a#b',
    ' # ',
    'a\\b',
    'back`tick`',
    'x=y=z',
    'päß€日本😀',
    'two\nlines',
    '{"a":"b","c":"$d"}',
    'a b  c ',
    '~/x',
    'p&q|r;s',
    '(x)',
    '!bang',
    '%40',
  ])('%j can be written', (value) => {
    const good = waysToWrite(value, 'none').some((way) => {
      const agreement = readEverywhere(`A=1\nK=${way}\nB=2\n`, 'K');
      return 'value' in agreement && agreement.value === value;
    });
    expect(good).toBe(true);
  });

  it.each([`it's $5`, `both ' and "`, 'ends in \\', 'two \\\\', '${HOME}', 'nul\0', 'cr\rcr', '\ud800'])(
    '%j cannot',
    (value) => {
      const good = waysToWrite(value, 'none').some((way) => {
        const agreement = readEverywhere(`A=1\nK=${way}\nB=2\n`, 'K');
        return 'value' in agreement && agreement.value === value;
      });
      expect(good).toBe(false);
    },
  );
});
