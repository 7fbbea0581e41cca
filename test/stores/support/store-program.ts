/** The stores as a program of its own: to be killed, stopped, traced, or run in another namespace. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { execa } from 'execa';
import ts from 'typescript';
import type { SecretSlot } from '../../../src/domain/slot.js';

const ROOT = resolve(import.meta.dirname, '../../..');

export type Call =
  | readonly ['preflight' | 'describe']
  | readonly ['stage', rotation: string, value: string]
  | readonly ['arrange', rotation: string, arrangement: string]
  | readonly ['discard' | 'forget', rotation: string];

export interface Job {
  readonly slot: SecretSlot;
  readonly calls: readonly Call[];
  /** Kill the process when it passes this point for the first time. */
  readonly killAt?: string;
  readonly umask?: number;
  /** Tells what a preflight said. */
  readonly verbose?: boolean;
}

/** One line of the program's output: a point it passed, with the modes of the files in the directory, or a call's end. */
export type Line =
  | { readonly point: string; readonly modes: Readonly<Record<string, string>> }
  | {
      readonly done: string;
      readonly said?: string;
      readonly code?: string;
      readonly effect?: string;
      readonly message?: string;
      readonly hint?: string;
    };

export interface StoreProgram {
  readonly path: string;
  run(
    job: Job,
    wrapper?: readonly string[],
  ): Promise<{ lines: readonly Line[]; signal: string | undefined; stderr: string }>;
  remove(): Promise<void>;
}

const PROGRAM = `
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DotenvStore } from './src/stores/dotenv/dotenv-store.js';
import { DockerSecretsStore } from './src/stores/secret-files/docker-secrets-store.js';
import { createFingerprinter } from './src/stores/fingerprint.js';
import { SecretValue } from './src/domain/secret-value.js';
const { slot, calls, killAt, umask, verbose } = JSON.parse(process.argv[2]);
if (umask !== undefined) process.umask(umask);
const directory = slot.store.directory ?? dirname(slot.store.file);
const print = (line) => process.stdout.write(JSON.stringify(line) + '\\n');
const faultPoint = (point) => {
  const modes = Object.fromEntries(readdirSync(directory).map((name) => [name, (statSync(join(directory, name)).mode & 0o7777).toString(8)]));
  print({ point, modes });
  if (point === killAt) process.kill(process.pid, 'SIGKILL');
};
const Store = slot.store.type === 'dotenv' ? DotenvStore : DockerSecretsStore;
const store = new Store(slot.store, { fingerprint: createFingerprinter('test-fingerprint-key'), faultPoint });
for (const [name, rotation, rest] of calls) {
  try {
    const { summary } = await store[name](slot, rotation, name === 'stage' ? () => new SecretValue(rest) : rest);
    print({ done: name, ...(verbose && summary && { said: summary }) });
  } catch (error) {
    print({ done: name, code: error.code, effect: error.effect, message: error.message, hint: error.hint });
  }
}
`;

export async function storeProgram(): Promise<StoreProgram> {
  const parent = join(ROOT, 'node_modules/.cache/keyturn-tests');
  await mkdir(parent, { recursive: true });
  const directory = await mkdtemp(join(parent, 'stores-'));
  // Other users run it too.
  await chmod(directory, 0o755);
  for (const folder of ['src/domain', 'src/processes', 'src/stores']) await transpile(folder, directory);
  const path = join(directory, 'program.js');
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  await writeFile(path, PROGRAM);
  return {
    path,
    run: async (job, wrapper = []) => {
      const own = [path, JSON.stringify(job)];
      const [command, ...before] = wrapper;
      const args = command === undefined ? own : [...before, process.execPath, ...own];
      const result = await execa(command ?? process.execPath, args, { reject: false, stdin: 'ignore' });
      const lines = result.stdout.split('\n').filter((line) => line.startsWith('{'));
      return { lines: lines.map((line) => JSON.parse(line) as Line), signal: result.signal, stderr: result.stderr };
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

async function transpile(folder: string, target: string): Promise<void> {
  for (const name of await readdir(join(ROOT, folder), { recursive: true })) {
    if (!name.endsWith('.ts')) continue;
    const { outputText } = ts.transpileModule(await readFile(join(ROOT, folder, name), 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    const file = join(target, folder, name.replace(/\.ts$/, '.js'));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, outputText);
  }
}
