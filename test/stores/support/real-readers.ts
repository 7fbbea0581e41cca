/** The real programs that the reader models stand for, each asked for the values of some keys in some files. */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'dotenv';
import { readFile } from 'node:fs/promises';

const run = promisify(execFile);

/** undefined: the program does not see the key. `broken`: it refuses the file. */
export type Seen = readonly (string | undefined)[] | 'broken';

export interface RealReader {
  readonly model: string;
  readonly name: string;
  see(file: string, keys: readonly string[]): Promise<Seen>;
  close(): void;
}

const MISSING = '-missing-';
const PYTHON_DOTENV = '1.2.4';
const CACHE = join(import.meta.dirname, '../../../node_modules/.cache/keyturn-tests');

export const npmReaders: readonly RealReader[] = [false, true].map((fast) => ({
  model: 'npm dotenv',
  name: fast ? 'npm dotenv (fast)' : 'npm dotenv',
  see: async (file, keys) => {
    const seen = parse(await readFile(file), { fast });
    return keys.map((key) => seen[key]);
  },
  close: () => undefined,
}));

/** PATH is empty and nothing of the environment is passed: a file under test may contain anything. */
export const bashReader: RealReader = {
  model: 'bash',
  name: 'bash',
  see: async (file, keys) => {
    const script =
      'set -a; . "$1" 2>/dev/null; shift; for k in "$@"; do if [[ -v $k ]]; then printf "=%s\\0" "${!k}"; else printf "\\0"; fi; done; printf end';
    const empty = await mkdtemp(join(tmpdir(), 'keyturn-bash-'));
    try {
      const { stdout } = await run('/bin/bash', ['--noprofile', '--norc', '-c', script, 'bash', file, ...keys], {
        cwd: empty,
        env: { PATH: empty, LC_ALL: 'C.UTF-8' },
      }).catch((error: unknown) => ({ stdout: (error as { stdout?: string }).stdout ?? '' }));
      if (!stdout.endsWith('end')) return 'broken';
      return stdout
        .split('\0')
        .slice(0, keys.length)
        .map((value) => (value.startsWith('=') ? value.slice(1) : undefined));
    } finally {
      await rm(empty, { recursive: true });
    }
  },
  close: () => undefined,
};

/** @returns the reader, or why there is none. */
export async function composeReader(): Promise<RealReader | string> {
  try {
    await run('docker', ['compose', 'version']);
  } catch {
    return 'docker compose is not installed';
  }
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-compose-'));
  return {
    model: 'Docker Compose',
    name: 'docker compose --env-file',
    see: async (file, keys) => {
      const environment = Object.fromEntries(keys.map((key, index) => [`V${index}`, `\${${key}-${MISSING}}`]));
      const project = join(directory, `${Math.random().toString(36).slice(2)}.json`);
      await writeFile(project, JSON.stringify({ name: 'p', services: { s: { image: 'x', environment } } }));
      const result = await run('docker', ['compose', '-f', project, '--env-file', file, 'config', '--format', 'json'], {
        maxBuffer: 1 << 26,
      }).catch((error: unknown) => (error as { stderr?: string }).stderr ?? '');
      if (typeof result === 'string') {
        if (result.includes('failed to read')) return 'broken';
        throw new Error(`docker compose config failed: ${result}`);
      }
      const config = JSON.parse(result.stdout) as { services: { s: { environment: Record<string, string | null> } } };
      return keys.map((_, index) => {
        const value = (config.services.s.environment[`V${index}`] ?? '').replaceAll('$$', '$');
        return value === MISSING ? undefined : value;
      });
    },
    close: () => void rm(directory, { recursive: true, force: true }),
  };
}

/** @returns the reader, or why there is none. */
export async function pythonReader(): Promise<RealReader | string> {
  const venv = join(CACHE, `python-dotenv-${PYTHON_DOTENV}`);
  const python = join(venv, 'bin/python');
  const ready = join(venv, 'ready');
  if (!existsSync(ready)) {
    try {
      await mkdir(CACHE, { recursive: true });
      await rm(venv, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', venv]);
      await run(python, [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
        `python-dotenv==${PYTHON_DOTENV}`,
      ]);
      await writeFile(ready, '');
    } catch {
      return 'python-dotenv could not be installed (python3, venv, pip and a package index are needed)';
    }
  }
  const script = [
    'import sys, json, os, logging',
    'logging.disable(logging.CRITICAL)',
    'from dotenv import dotenv_values',
    'os.environ.clear()',
    'for line in sys.stdin:',
    '    print(json.dumps(dotenv_values(json.loads(line), encoding="utf-8")), flush=True)',
  ].join('\n');
  const child = spawn(python, ['-u', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    model: 'python-dotenv',
    name: 'python-dotenv',
    see: async (file, keys) => {
      child.stdin.write(`${JSON.stringify(file)}\n`);
      const answer = await answers.next();
      const seen = JSON.parse(String(answer.value)) as Record<string, string | null>;
      return keys.map((key) => seen[key] ?? undefined);
    },
    close: () => void child.kill(),
  };
}

/** All that can be had here; what cannot is printed. */
export async function realReaders(): Promise<readonly RealReader[]> {
  const found: RealReader[] = [...npmReaders, bashReader];
  for (const reader of [await composeReader(), await pythonReader()]) {
    if (typeof reader === 'string') console.warn(`skipped: ${reader}`);
    else found.push(reader);
  }
  return found;
}
