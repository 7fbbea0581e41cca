/**
 * A Python with exactly the packages that a requirements file pins, by version and hash: a virtual environment, made once and kept in the
 * user's cache. The example `arena` runs on one, the benchmarks on another.
 */
import { createHash } from 'node:crypto';
import { access, constants, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { KeyturnError } from '../../domain/errors.js';
import { buildOnce } from '../../embedded/build-once.js';
import { cacheDirectory } from '../../embedded/directories.js';

/** 20 MB over a slow line. */
const INSTALL_MS = 10 * 60_000;
/** asyncio.timeout. */
const OLDEST = [3, 11] as const;

export interface PythonOptions {
  readonly requirements: string;
  /** Tries the packages: modules that must be importable. */
  readonly modules: readonly string[];
  readonly cacheDirectory?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: (line: string) => void;
}

/**
 * Idempotent; two processes that start at once install once.
 * @returns the interpreter. @throws KeyturnError `no-python` with one sentence that says why there is none.
 */
export async function pythonWith(options: PythonOptions): Promise<string> {
  const { requirements, modules, env = process.env, onProgress } = options;
  const run = { env, extendEnv: false, timeout: INSTALL_MS, stdin: 'ignore', reject: false } as const;
  const version = await execa('python3', ['-c', 'import sys; print(*sys.version_info[:3])'], run);
  if (version.exitCode !== 0) throw unavailable('python3 is not on PATH');
  const numbers = version.stdout.trim().split(' ').map(Number);
  const [major = 0, minor = 0] = numbers;
  if (major !== OLDEST[0] || minor < OLDEST[1]) {
    throw unavailable(`python3 is ${numbers.join('.')}, and ${OLDEST.join('.')} or newer is needed`);
  }
  const pinned = await readFile(requirements, 'utf8');
  // Wheels are for one minor version; the link to the interpreter breaks when that goes.
  const key = createHash('sha256').update(`${major}.${minor}\n${pinned}`).digest('hex').slice(0, 12);
  const home = join(options.cacheDirectory ?? cacheDirectory(), `python-${key}`);
  const interpreter = join(home, 'bin', 'python3');
  await buildOnce(
    home,
    () => isProgram(interpreter),
    async (building) => {
      onProgress?.('fetching the Python packages of the example arena (20 MB, once)');
      const venv = await execa('python3', ['-m', 'venv', building], run);
      if (venv.exitCode !== 0) throw unavailable('python3 cannot make a venv: install python3-venv');
      const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary', ':all:', '--require-hashes'];
      const quiet = ['--disable-pip-version-check', '--no-input'];
      const python = join(building, 'bin', 'python3');
      const install = await execa(python, [...pip, ...quiet, '-r', requirements], run);
      if (install.exitCode !== 0) throw unavailable(`pip cannot install its packages: ${lastLine(install.stderr)}`);
      const tried = await execa(python, ['-c', `import ${modules.join(', ')}`], run);
      if (tried.exitCode !== 0) throw unavailable(`its packages do not work here: ${lastLine(tried.stderr)}`);
    },
  );
  return interpreter;
}

function unavailable(reason: string): KeyturnError {
  return new KeyturnError('no-python', reason, {
    hint: 'the example arena is written in Python; the others need none',
  });
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}
