/** A program of the tests that starts servers and then waits, so that it can be killed. */
import { createInterface } from 'node:readline';
import { execa } from 'execa';

export interface Ended {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stderr: string;
}

export interface ParentProgram<Said> {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** What it printed besides, and how it ended. */
  readonly ended: Promise<Ended>;
  /** The one JSON line that it prints when everything runs. */
  readonly said: Said;
}

/** Runs `body` (plain JavaScript, with dynamic imports from `directory`/dist) until it prints one line of JSON. */
export async function startParent<Said>(
  directory: string,
  body: string,
  env: Record<string, string> = {},
): Promise<ParentProgram<Said>> {
  const code = `const load = (name) => import('${directory}/dist/' + name);
    const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n');
    ${body}`;
  const child = execa(process.execPath, ['--input-type=module', '-e', code], { cwd: directory, env, reject: false });
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([
    new Promise<string>((resolve) => lines.once('line', resolve)),
    child.then(({ stderr }) => {
      throw new Error(`the program ended before it said anything: ${stderr}`);
    }),
  ]);
  const ended = child.then(({ exitCode, signal, stderr }) => ({ exitCode, signal, stderr }));
  return { pid: child.pid ?? 0, kill: (signal) => void child.kill(signal), ended, said: JSON.parse(first) as Said };
}

/** Whether a process lives; a zombie does not. */
export async function lives(pid: number): Promise<boolean> {
  const { stdout } = await execa('ps', ['-o', 'stat=', '-p', String(pid)], { reject: false });
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z');
}
