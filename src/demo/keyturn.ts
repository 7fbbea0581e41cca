/** The real command line, run as people run it: its output is shown as it comes, and kept for the search for leaked values. */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { KeyturnError } from '../domain/errors.js';

const MAIN = fileURLToPath(new URL('../cli/main.js', import.meta.url));
export const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));

/** Longer than any verb of the demo takes on a loaded machine. */
const PATIENCE_MS = 240_000;

export interface Said {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Keyturn {
  /** Everything that any verb printed. */
  transcript = '';

  /** @param directory the verbs find the session of `keyturn up` by it. */
  constructor(
    private readonly directory: string,
    private readonly show: (line: string) => void,
    private readonly signal: AbortSignal,
  ) {}

  /** @param quiet shows the command but not what it prints. */
  async run(args: readonly string[], { quiet = false } = {}): Promise<Said> {
    this.show(`$ keyturn ${args.join(' ')}`);
    return await this.#execute(args, quiet ? undefined : (line) => this.show(`  ${line}`));
  }

  /** Without a word on the screen. */
  async execute(args: readonly string[]): Promise<Said> {
    return await this.#execute(args);
  }

  /** The document of a reading verb, without a word on the screen; null while it has none to give. */
  async peek<T>(args: readonly string[]): Promise<T | null> {
    const { stdout } = await this.#execute([...args, '--json']);
    try {
      return JSON.parse(stdout) as T;
    } catch {
      return null;
    }
  }

  /** @throws KeyturnError `demo-failed` when the verb fails or prints no document. */
  async json<T>(args: readonly string[]): Promise<T> {
    const { exitCode, stdout, stderr } = await this.run([...args, '--json'], { quiet: true });
    try {
      return JSON.parse(stdout) as T;
    } catch (error) {
      throw new KeyturnError(
        'demo-failed',
        `keyturn ${args.join(' ')} ended with ${exitCode} and no document: ${stderr}`,
        {
          cause: error,
        },
      );
    }
  }

  async #execute(args: readonly string[], onLine?: (line: string) => void): Promise<Said> {
    const child = execa(process.execPath, [MAIN, '--inventory', EXAMPLES, ...args], {
      cwd: this.directory,
      reject: false,
      timeout: PATIENCE_MS,
      cancelSignal: this.signal,
      all: true,
      env: { NO_COLOR: '1' },
    });
    if (onLine) for await (const line of child.iterable({ from: 'all' })) onLine(line);
    const { exitCode = 1, stdout, stderr } = await child;
    this.transcript += `${stdout}\n${stderr}\n`;
    return { exitCode, stdout, stderr };
  }
}
