import { access, constants, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { formatMilliseconds, milliseconds } from '../domain/durations.js';
import type { KeyturnError } from '../domain/errors.js';
import type { Evidence } from '../domain/evidence.js';
import type { CommandDeploySpec } from '../domain/specs/service.js';
import { minimalEnvironment } from '../processes/environment.js';
import { cleanLines, masksOfVariables, type Masks } from '../processes/masks.js';
import type { Ended } from '../processes/run-program.js';
import { deployFailed } from './deploy-failed.js';
import type { Deployer } from './deployer.js';
import { cannotStop, runAlone, unavailable, type Tool } from './run-tool.js';

const LOG_LINES = 80;

/**
 * Deploys by running a command of the team's own. The command must be idempotent, must end by itself, and must give a program
 * that it leaves running an output of its own (`>service.log 2>&1`): one that keeps the command's output is reported as a
 * failed deploy, because it would die with the worker.
 */
export class CommandDeployer implements Deployer {
  readonly #tool: Tool;
  readonly #masks: Masks;
  readonly #missing: readonly string[];
  readonly containers = null;
  readonly stopping: string | null;
  #last: readonly string[] = [];

  constructor(
    private readonly spec: CommandDeploySpec,
    private readonly service: string,
    worker: NodeJS.ProcessEnv,
  ) {
    const named = spec.environment ?? [];
    const environment = minimalEnvironment(named, worker);
    this.#tool = {
      argv: spec.argv,
      directory: resolve(spec.directory),
      environment,
      limit: milliseconds(spec.timeout),
    };
    this.#masks = masksOfVariables(named, environment, 'readable');
    this.stopping = spec.stop ? this.#shown(spec.stop) : null;
    this.#missing = named.filter((name) => worker[name] === undefined);
  }

  async preflight(signal: AbortSignal): Promise<Evidence> {
    signal.throwIfAborted();
    const { directory } = this.#tool;
    if (!(await stat(directory).catch(() => null))?.isDirectory()) {
      throw unavailable(`there is no directory ${directory}`, `correct the directory of service ${this.service}`);
    }
    const program = await this.#findProgram(this.spec.argv);
    if (this.spec.stop) await this.#findProgram(this.spec.stop);
    // A variable that is left out may be meant to be optional, so it is said and not refused.
    const unset = this.#missing.length > 0 ? `; not set here: ${this.#missing.join(', ')}` : '';
    return {
      summary: `${this.service}: ${program} can be run in ${directory}${unset}`,
      facts: { program, unsetVariables: this.#missing.join(', ') },
    };
  }

  deploy(signal: AbortSignal): Promise<Evidence> {
    return this.#run(this.spec.argv, signal);
  }

  async stop(signal: AbortSignal): Promise<Evidence> {
    const { stop } = this.spec;
    if (!stop) throw cannotStop(this.service);
    return await this.#run(stop, signal);
  }

  async #run(argv: readonly string[], signal: AbortSignal): Promise<Evidence> {
    const started = performance.now();
    const ended = await runAlone(this.service, { ...this.#tool, argv }, signal);
    const took = performance.now() - started;
    this.#last = [...cleanLines(ended.stdout, this.#masks), ...cleanLines(ended.stderr, this.#masks)];
    const failure = this.#failure(argv, ended);
    if (failure) throw failure;
    return {
      summary: `${this.service}: ${this.#shown(argv)} ended with 0 in ${formatMilliseconds(took)}`,
      facts: { exitCode: 0, durationMs: Math.round(took) },
    };
  }

  /** Only what this instance's last `deploy` printed: where the service itself logs, its team knows. */
  diagnose(): Promise<string> {
    const lines = this.#last.slice(-LOG_LINES);
    const said = lines.length > 0 ? `; it last said:\n${lines.join('\n')}` : '';
    return Promise.resolve(
      `${this.service} is deployed by ${this.#shown(this.spec.argv)}, which keeps no logs of it${said}`,
    );
  }

  #failure(argv: readonly string[], ended: Ended): KeyturnError | null {
    const failed = (how: string, hint: string): KeyturnError =>
      deployFailed(`${this.service}: ${this.#shown(argv)} ${how}`, this.#last, hint);
    if (ended.timedOut) return failed(`did not end within ${this.spec.timeout}`, 'a deploy command must end by itself');
    if (ended.endedBy) return failed(`was ended by ${ended.endedBy}`, 'was the machine out of memory?');
    if (ended.exitCode !== 0) return failed(`exited with ${ended.exitCode ?? 'no code'}`, 'run the command by hand');
    if (!ended.outputHeld) return null;
    return failed(
      'ended, but a program that it left running still writes to its output',
      'give that program an output of its own, e.g. >service.log 2>&1',
    );
  }

  #shown(argv: readonly string[]): string {
    const text = cleanLines(argv.join(' '), this.#masks).join(' ');
    return text.length > 120 ? `${text.slice(0, 119)}…` : text;
  }

  /** As the operating system will look for it: with a slash from the directory, without one on PATH. */
  async #findProgram(argv: readonly string[]): Promise<string> {
    const name = argv[0] ?? '';
    const { directory, environment } = this.#tool;
    const places = name.includes('/')
      ? [resolve(directory, name)]
      : (environment.PATH ?? '').split(delimiter).map((folder) => join(resolve(directory, folder), name));
    for (const place of places) {
      const executable = await access(place, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (executable && (await stat(place)).isFile()) return place;
    }
    throw unavailable(`${name} is not an executable program`, `is it installed, executable, and on the worker's PATH?`);
  }
}
