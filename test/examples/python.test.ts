/** The Python of the example arena: found, made once, and when it cannot be had, why, in a sentence. */
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pythonWith } from '../../src/demo/systems/python.js';

let place: string;
let said: string[];
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'keyturn-python-'));
  said = [];
  await writeFile(join(place, 'requirements.txt'), 'some-package==1.0.0\n');
});
afterEach(() => rm(place, { recursive: true, force: true }));

/** A python3 that does as much of its work as a test needs, and remembers what it was asked for. */
async function python(body: string): Promise<void> {
  const script = `#!/bin/sh\necho "$@" >> ${join(place, 'asked')}\n${body}\n`;
  await writeFile(join(place, 'python3'), script);
  await chmod(join(place, 'python3'), 0o755);
}

/** The venv's interpreter is the same program. */
const WORKS = `case "$*" in
  -c*version_info*) echo 3 11 7 ;;
  *venv*) /bin/mkdir -p "$3/bin"; /bin/cp "$0" "$3/bin/python3" ;;
esac`;

const look = () =>
  pythonWith({
    requirements: join(place, 'requirements.txt'),
    modules: ['json'],
    cacheDirectory: join(place, 'cache'),
    env: { PATH: place },
    onProgress: (line) => said.push(line),
  });
const asked = async (what: string): Promise<number> =>
  (await readFile(join(place, 'asked'), 'utf8')).split('\n').filter((line) => line.includes(what)).length;

describe('the Python of arena', () => {
  it('is made once, with the pinned packages and no others, also when two look for it at the same moment', async () => {
    await python(WORKS);
    const [one, two] = await Promise.all([look(), look()]);
    expect(one).toBe(two);
    expect(await look()).toBe(one);
    expect(await asked('pip install --quiet --no-deps --only-binary :all: --require-hashes')).toBe(1);
    expect(said).toHaveLength(1);
    expect((await readdir(join(place, 'cache'))).filter((name) => name.includes('building'))).toEqual([]);
  });

  it('is another one when a version is pinned anew', async () => {
    await python(WORKS);
    const before = await look();
    await writeFile(join(place, 'requirements.txt'), 'some-package==1.0.1\n');
    expect(await look()).not.toBe(before);
  });

  it.each([
    ['there is none', null, 'python3 is not on PATH'],
    ['it is too old', 'echo 3 9 2', 'python3 is 3.9.2, and 3.11 or newer is needed'],
    [
      'it makes no venv',
      'case "$*" in -c*) echo 3 11 7 ;; *) exit 1 ;; esac',
      'python3 cannot make a venv: install python3-venv',
    ],
    [
      'the packages cannot be had',
      `case "$*" in *pip*) echo collecting >&2; echo no route to host >&2; exit 1 ;; esac\n${WORKS}`,
      'pip cannot install its packages: no route to host',
    ],
    [
      'the packages do not work',
      `case "$*" in *json*) echo ImportError: no such thing >&2; exit 1 ;; esac\n${WORKS}`,
      'its packages do not work here: ImportError: no such thing',
    ],
  ])('says in a sentence that %s', async (_what, body, message) => {
    if (body !== null) await python(body);
    await expect(look()).rejects.toMatchObject({ code: 'no-python', message });
    const left = await readdir(join(place, 'cache')).catch((): string[] => []);
    expect(left.filter((name) => !name.endsWith('.lock'))).toEqual([]);
  });
});
