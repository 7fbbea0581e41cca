import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
let clone: string;

/** A small clone: the real scripts, settings and dependencies, and three sources. */
beforeEach(async () => {
  await mkdir(join(ROOT, '.keyturn'), { recursive: true });
  clone = await mkdtemp(join(ROOT, '.keyturn', 'ready-'));
  for (const name of ['scripts', 'package.json', 'package-lock.json', 'tsconfig.json']) {
    await cp(join(ROOT, name), join(clone, name), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  await source('domain/answer.ts', 'export const answer: number = 42;\n');
  await source('workflows/shared.ts', "import '../domain/answer.js';\n");
  await source(
    'workflows/index.ts',
    "import { answer } from '../domain/answer.js';\nexport async function ask() { return answer; }\n",
  );
});
afterEach(() => rm(clone, { recursive: true, force: true }));

describe('scripts/ready.mjs', () => {
  it('compiles and bundles once, and is quick and silent when nothing changed', async () => {
    const first = await ready();
    expect(first.stderr).toContain('compiling');
    expect(first.stderr).toContain('bundling workflows');
    expect(await readFile(join(clone, 'dist/workflow-bundle.js'), 'utf8')).toContain('42');
    // Processor time, not the clock's: other tests keep the machine busy meanwhile.
    const again = await ready(REPORT_CPU);
    expect(again.stderr).toBe('');
    expect(Number(again.stdout)).toBeGreaterThan(0);
    expect(Number(again.stdout)).toBeLessThan(1_500);
  });

  it('does only what a change asks for', async () => {
    await ready();
    await source('cli/other.ts', 'export const other = 1;\n');
    const outside = await ready();
    expect(outside.stderr).toContain('compiling');
    expect(outside.stderr).not.toContain('bundling');
    await source('domain/answer.ts', 'export const answer: number = 43;\n');
    expect((await ready()).stderr).toContain('bundling');
    expect(await readFile(join(clone, 'dist/workflow-bundle.js'), 'utf8')).toContain('43');
  });

  it('removes what a removed source was compiled to', async () => {
    await source('cli/other.ts', 'export const other = 1;\n');
    await ready();
    expect(existsSync(join(clone, 'dist/cli/other.js'))).toBe(true);
    await rm(join(clone, 'src/cli/other.ts'));
    await ready();
    expect(existsSync(join(clone, 'dist/cli/other.js'))).toBe(false);
  });

  it('makes dist again when it was removed', async () => {
    await ready();
    await rm(join(clone, 'dist'), { recursive: true });
    await ready();
    expect(existsSync(join(clone, 'dist/workflow-bundle.js'))).toBe(true);
  });

  it('started twice at the same moment does everything once', async () => {
    const both = await Promise.all([ready(), ready(), ready()]);
    const said = both.map(({ stderr }) => stderr).join('\n');
    expect(said.match(/compiling/g)).toHaveLength(1);
    expect(said.match(/bundling/g)).toHaveLength(1);
    expect(await readdir(join(clone, '.keyturn'))).toEqual([]);
  });

  it('is not held up by the lock of a copy that was killed', async () => {
    await mkdir(join(clone, '.keyturn'));
    const lock = { pid: process.pid, started: 'another time', id: 'killed' };
    await writeFile(join(clone, '.keyturn/ready.lock'), JSON.stringify(lock));
    await Promise.all([ready(), ready()]);
    expect(await readdir(join(clone, '.keyturn'))).toEqual([]);
  });

  it('says which line does not compile, with a hint, and does not count it as done', async () => {
    await source('domain/answer.ts', "export const answer: number = 'no';\n");
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const result = await ready();
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toMatch(/^error: the sources do not compile$/m);
      expect(result.stderr).toContain('src/domain/answer.ts(1,14)');
      expect(result.stderr).toMatch(/^hint: /m);
    }
  });

  it('says why workflows cannot be bundled', async () => {
    await source('workflows/index.ts', "import { readFileSync } from 'node:fs';\nexport const read = readFileSync;\n");
    const result = await ready();
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/^error: the workflows cannot be bundled$/m);
    expect(result.stderr).toMatch(/^hint: /m);
  });

  it('refuses a Node.js that is too old, before anything else', async () => {
    const manifest = JSON.parse(await readFile(join(clone, 'package.json'), 'utf8')) as { engines: { node: string } };
    manifest.engines.node = '>=99.1';
    await writeFile(join(clone, 'package.json'), JSON.stringify(manifest));
    const result = await ready();
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain(`error: Keyturn needs Node.js 99.1 or newer, this is ${process.versions.node}`);
    expect(result.stderr).toMatch(/^hint: /m);
    expect(existsSync(join(clone, 'dist'))).toBe(false);
  });

  it('refuses a package.json that its lock file does not know', async () => {
    const manifest = JSON.parse(await readFile(join(clone, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    manifest.dependencies.pg = '1.0.0';
    await writeFile(join(clone, 'package.json'), JSON.stringify(manifest));
    const result = await ready();
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('error: package.json and package-lock.json disagree on dependencies');
  });
});

async function source(name: string, text: string): Promise<void> {
  const path = join(clone, 'src', name);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, text);
}

/** Milliseconds of processor time that a script took, on standard output. */
const REPORT_CPU = [
  '--import',
  `data:text/javascript,${encodeURIComponent(
    "process.on('exit', () => { const { user, system } = process.cpuUsage(); process.stdout.write(String((user + system) / 1000)); })",
  )}`,
];

function ready(flags: readonly string[] = []) {
  return execa(process.execPath, [...flags, join(clone, 'scripts/ready.mjs')], { cwd: clone, reject: false });
}
