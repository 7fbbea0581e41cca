/** What is fetched from elsewhere is named by its content: packages of pip by hash, images by digest. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const texts = new Map<string, string>();
beforeAll(async () => {
  const { stdout } = await promisify(execFile)('git', ['ls-files'], { cwd: ROOT });
  const names = stdout.split('\n').filter((name) => name !== '' && !/^(test\/|package-lock|CHANGELOG)/.test(name));
  for (const name of names) texts.set(name, await readFile(join(ROOT, name), 'utf8').catch(() => ''));
});

const matching = (name: RegExp): [string, string][] => [...texts].filter(([file]) => name.test(file));

it('pip installs by hash wherever it installs', () => {
  const installs = [...texts].flatMap(([file, text]) =>
    [...text.matchAll(/pip['", ]+install\b(?! \$\{)/g)].map(({ index }) => ({
      file,
      around: text.slice(index - 400, index + 400),
    })),
  );
  expect(installs.length).toBeGreaterThan(3);
  for (const { file, around } of installs) expect(around, file).toContain('--require-hashes');
});

it('every requirement is of one version, and has hashes', () => {
  const files = matching(/requirements.*\.txt$/);
  expect(files.map(([file]) => file)).toEqual(['examples/arena/requirements.txt', 'scripts/python-requirements.txt']);
  for (const [file, text] of files) {
    const requirements = text
      .replaceAll(/^#.*\n/gm, '')
      .replaceAll('\\\n', '')
      .trim()
      .split('\n');
    for (const one of requirements) expect(one, file).toMatch(/^[\w.-]+==[\w.]+( +--hash=sha256:[0-9a-f]{64})+$/);
  }
});

it('every image has a version and a digest, but for those that are built here', () => {
  const named = [
    ...matching(/(^|\/)Dockerfile$/).flatMap(([file, text]) => [
      ...[...text.matchAll(/^(?:FROM|ARG \w+=|COPY --from=) *(\S+)/gm)].map(([, image = '']) => ({ file, image })),
    ]),
    ...matching(/compose\.ya?ml$/).flatMap(([file, text]) =>
      [...text.matchAll(/^ *image: (\S+)$/gm)].map(([, image = '']) => ({ file, image })),
    ),
    ...[...texts].flatMap(([file, text]) =>
      [...text.matchAll(/docker run (?:--?[\w-]+ )*([a-z]\S*)/g)].map(([, image = '']) => ({ file, image })),
    ),
  ];
  const stages = new Set(
    matching(/(^|\/)Dockerfile$/).flatMap(([, text]) => [...text.matchAll(/ AS (\S+)$/gm)].map(([, name]) => name)),
  );
  const built = /^(?:keyturn:[\d.]+|\$\{ARENA_IMAGE:-arena\}|\$\{\w+\})$/;
  const fetched = named.filter(({ image }) => !stages.has(image) && !built.test(image));
  expect(fetched.length).toBeGreaterThan(6);
  for (const { file, image } of fetched) {
    expect(image.replace(/\}$/, ''), file).toMatch(/:(?:\$\{\w+:-)?[\d.]+[\w.-]*@sha256:[0-9a-f]{64}$/);
  }
});

it('the image runs on the Node.js that is maintained', () => {
  expect(texts.get('Dockerfile')).toMatch(/^ARG NODE=node:24\./m);
});
