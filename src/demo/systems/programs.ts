/** How each example application is started, and how one knows that all of it serves. */
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExampleName } from './blueprints.js';
import { pythonWith } from './python.js';

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly directory?: string;
  readonly variables: Readonly<Record<string, string>>;
  /** Path of its health check. */
  readonly health: string;
  /** The first instance may answer while others are still starting. */
  readonly allServe: () => Promise<boolean>;
}

export interface ProgramFiles {
  readonly envFile: string;
  /** Of the primary; arena has a control socket in its place. */
  readonly pidFile: string;
}

const ARENA_MODULES = [
  'fastapi',
  'uvicorn',
  'pydantic_settings',
  'cryptography.fernet',
  'psycopg_pool',
  'jwt',
  'dotenv',
];

/** @param examples the folder of all example systems. @throws KeyturnError `no-python`. */
export async function programOf(
  name: ExampleName,
  examples: string,
  { envFile, pidFile }: ProgramFiles,
  onProgress?: (line: string) => void,
): Promise<Program> {
  const directory = join(examples, name);
  if (name === 'arena') {
    const python = await arenaPython(examples, onProgress);
    return {
      command: python,
      args: ['-m', 'arena.supervisor', '--control', pidFile],
      directory,
      // Nothing is written into the clone.
      variables: { ENV_FILE: envFile, PYTHONDONTWRITEBYTECODE: '1' },
      health: '/api/arenas/health',
      // It listens once both services are ready.
      allServe: () => exists(pidFile),
    };
  }
  return {
    command: process.execPath,
    args: [join(directory, 'app', 'server.js')],
    variables: { ENV_FILE: envFile, PID_FILE: pidFile },
    health: '/api/health',
    allServe: () => isRunning(pidFile),
  };
}

/** @throws KeyturnError `no-python`: why arena cannot run here, in a sentence. */
export function arenaPython(examples: string, onProgress?: (line: string) => void): Promise<string> {
  const requirements = join(examples, 'arena', 'requirements.txt');
  return pythonWith({ requirements, modules: ARENA_MODULES, ...(onProgress && { onProgress }) });
}

/** examples/lib/control-files.js tells. */
async function isRunning(pidFile: string): Promise<boolean> {
  const state = await readFile(`${pidFile}.state`, 'utf8').catch(() => '{}');
  return (JSON.parse(state) as { phase?: string }).phase === 'running';
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
