/** The command as people run it: compiled, in a directory of its own, with an environment of its own. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { compiledProject } from '../../support/compiled.js';

export interface Transcript {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, as a person sees them. */
  readonly all: string;
}

export interface Keyturn {
  /** Where it is run: an empty directory outside the clone. */
  readonly directory: string;
  /** The command's path; its name is `keyturn`, as an installation has it. */
  readonly program: string;
  /** Runs it to its end. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Transcript>;
  /** Starts it, for a verb that stays. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Running;
  write(file: string, text: string): Promise<string>;
  remove(): Promise<void>;
}

export type Running = ReturnType<typeof spawn>;

export async function installKeyturn(): Promise<Keyturn> {
  const build = await compiledProject();
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-cli-'));
  const home = join(directory, '.home');
  await mkdir(home);
  const program = join(home, 'keyturn');
  await symlink(join(build.directory, 'dist', 'cli', 'main.js'), program);
  // Nothing of the developer's own settings: no Temporal profile, no session of a `keyturn up` that runs beside the tests.
  const own = { PATH: process.env['PATH'] ?? '', HOME: home, USER: 'olga', ...marked() };
  const start: Keyturn['start'] = (args, env = {}) => spawn([program, ...args], directory, { ...own, ...env });
  return {
    directory,
    program,
    start,
    run: async (args, env) => {
      const { exitCode, stdout, stderr, all } = await start(args, env);
      return { exitCode, stdout, stderr, all };
    },
    write: async (file, text) => {
      const path = join(directory, file);
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, text);
      return path;
    },
    remove: async () => {
      await rm(directory, { recursive: true, force: true });
      await build.remove();
    },
  };
}

function spawn(args: readonly string[], cwd: string, env: Record<string, string>) {
  return execa(process.execPath, args, { extendEnv: false, reject: false, all: true, cwd, env });
}

/** The leak check of the integration run looks for this mark; see test/support/leaks.ts. */
function marked(): Record<string, string> {
  const mark = process.env['KEYTURN_TEST_RUN'];
  return mark === undefined ? {} : { KEYTURN_TEST_RUN: mark };
}
