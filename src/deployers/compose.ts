/** Docker Compose, by the commands that a person would type (runbook 000, "Standard Rotation Procedure"). */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { formatMilliseconds, milliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import type { Evidence } from '../domain/evidence.js';
import type { ComposeDeploySpec } from '../domain/specs/service.js';
import { cleanLines, type Masks } from '../processes/masks.js';
import type { Ended } from '../processes/run-program.js';
import {
  countContainers,
  describeState,
  isFailing,
  majorVersion,
  unsetVariables,
  type Container,
} from './compose-facts.js';
import { ComposeContainers } from './compose-containers.js';
import { composeEnvironment } from './compose-environment.js';
import { deployFailed } from './deploy-failed.js';
import type { Deployer } from './deployer.js';
import { masksOfEnvFile } from './env-file-masks.js';
import { runAlone, runTool, unavailable } from './run-tool.js';

/** Questions that change nothing; an engine that needs longer is not fit to deploy on. */
const QUESTION_LIMIT = 30_000;
/** Runbook 000: `logs --tail=80 backend`. */
const LOG_LINES = 80;
/** Compose says why at its end, after a line for each container. */
const TOOL_LINES = 10;

const ACTIONS = {
  up: ['up', '-d'],
  recreate: ['up', '-d', '--force-recreate'],
  restart: ['restart'],
} as const;

export class ComposeDeployer implements Deployer {
  readonly #directory: string;
  readonly #environment: Readonly<Record<string, string>>;
  /** `docker compose` and the options that say which project, before the subcommand. */
  readonly #compose: readonly string[];
  readonly containers: ComposeContainers;
  readonly stopping: string;
  /** What the last deploy said, if it failed. */
  #failed: readonly string[] = [];

  constructor(
    private readonly spec: ComposeDeploySpec,
    private readonly service: string,
    worker: NodeJS.ProcessEnv,
  ) {
    this.#directory = resolve(spec.directory);
    this.#environment = composeEnvironment(this.#directory, worker);
    const files = spec.files ?? [];
    this.#compose = [
      'docker',
      'compose',
      // With files of one's own the project's directory would be that of the first file.
      ...(files.length > 0 ? ['--project-directory', this.#directory] : []),
      ...(spec.project === undefined ? [] : ['-p', spec.project]),
      ...files.flatMap((file) => ['-f', file]),
      ...(spec.envFile === undefined ? [] : ['--env-file', spec.envFile]),
    ];
    this.containers = new ComposeContainers({
      service,
      services: spec.services,
      action: spec.action,
      compose: this.#compose,
      ask: async (argv, signal) => {
        const { exitCode, stdout } = await this.#run(argv, QUESTION_LIMIT, signal);
        return exitCode === 0 ? stdout : null;
      },
    });
    this.stopping = [...this.#compose, 'stop', ...(spec.services ?? [])].join(' ');
  }

  async preflight(signal: AbortSignal): Promise<Evidence> {
    const masks = await this.#masks();
    await this.#needsFiles();
    const version = await this.#needsTools(masks, signal);
    const unset = await this.#needsValidConfig(masks, signal);
    const services = await this.#needsServices(masks, signal);
    const note = unset.length > 0 ? `; not set: ${unset.join(', ')}` : '';
    return {
      summary: `${this.service}: engine ${version} answers, Compose accepts ${this.#directory}, services ${services.join(', ')}${note}`,
      facts: { engine: version, services: services.join(', '), unsetVariables: unset.join(', ') },
    };
  }

  deploy(signal: AbortSignal): Promise<Evidence> {
    return this.#change(ACTIONS[this.spec.action], signal);
  }

  stop(signal: AbortSignal): Promise<Evidence> {
    return this.#change(['stop'], signal);
  }

  async #change(action: readonly string[], signal: AbortSignal): Promise<Evidence> {
    this.#failed = [];
    const masks = await this.#masks();
    const argv = [...this.#compose, ...action, ...(this.spec.services ?? [])];
    const command = argv.join(' ');
    const started = performance.now();
    // One at a time a project: `up` of one service may touch others.
    const tool = { argv, directory: this.#directory, environment: this.#environment };
    const limit = milliseconds(this.spec.timeout);
    const ended = await runAlone(`compose ${this.spec.project ?? ''}`, { ...tool, limit }, signal);
    const took = performance.now() - started;
    // Compose writes what it did to standard error; both are looked at because older ones did not.
    const output = `${ended.stdout}\n${ended.stderr}`;
    if (ended.timedOut || ended.exitCode !== 0) {
      const how = ended.timedOut
        ? `did not end within ${this.spec.timeout}`
        : `exited with ${ended.exitCode ?? 'no code'}`;
      const said = cleanLines(output, masks);
      this.#failed = [`--- ${command} ${how}`, ...said.slice(-TOOL_LINES)];
      throw deployFailed(`${this.service}: ${command} ${how}`, said, 'see ps and the logs of the service');
    }
    const counts = countContainers(output);
    const done =
      action[0] === 'stop'
        ? `${counts.stopped} stopped`
        : `${counts.recreated} recreated, ${counts.started} started, ${counts.running} left running`;
    return {
      summary: `${this.service}: ${command} ended in ${formatMilliseconds(took)}: ${done}`,
      facts: { command, ...counts, unsetVariables: unsetVariables(output).join(', '), durationMs: Math.round(took) },
    };
  }

  async diagnose(signal: AbortSignal): Promise<string> {
    try {
      const masks = await this.#masks();
      const all = await this.containers.look(signal);
      const own = all.filter(({ service }) => this.spec.services?.includes(service) ?? true);
      if (own.length === 0) return [`${this.service}: no containers`, ...this.#failed].join('\n');
      // What the deploy has broken beside it, too.
      const shown = [...own, ...all.filter((container) => !own.includes(container) && isFailing(container))];
      const states = shown.map(describeState);
      return [...states, ...this.#failed, ...(await this.#logs(shown, masks, signal))].join('\n');
    } catch (error) {
      // An undo is on its way when this is asked; what cannot be found out must not stop it.
      return [
        `${this.service}: no diagnosis (${error instanceof KeyturnError ? error.message : 'broken off'})`,
        ...this.#failed,
      ].join('\n');
    }
  }

  /** Of the failing services; of all, when every container runs and yet the service's checks do not pass. */
  async #logs(own: readonly Container[], masks: Masks, signal: AbortSignal): Promise<string[]> {
    const failing = own.filter(isFailing);
    const names = [...new Set((failing.length > 0 ? failing : own).map(({ service }) => service))];
    const each = Math.floor(LOG_LINES / names.length);
    const lines: string[] = [];
    for (const name of names) {
      // One service a call and no prefix, so that a value of several lines is found in one piece.
      const logs = await this.#ask(['logs', '--no-color', '--no-log-prefix', `--tail=${LOG_LINES}`, name], signal);
      const last = cleanLines(`${logs.stdout}\n${logs.stderr}`, masks).slice(-Math.max(1, each));
      lines.push(`--- ${name}, last ${last.length} log lines`, ...last);
    }
    return lines;
  }

  async #needsFiles(): Promise<void> {
    if (!(await stat(this.#directory).catch(() => null))?.isDirectory()) {
      throw unavailable(`there is no directory ${this.#directory}`, `correct the directory of service ${this.service}`);
    }
    const { envFile } = this.spec;
    if (envFile !== undefined && !(await stat(resolve(this.#directory, envFile)).catch(() => null))?.isFile()) {
      throw unavailable(
        `there is no env file ${resolve(this.#directory, envFile)}`,
        `correct envFile of ${this.service}`,
      );
    }
  }

  /** @returns the engine's version. */
  async #needsTools(masks: Masks, signal: AbortSignal): Promise<string> {
    const plugin = await this.#run(['docker', 'compose', 'version', '--short'], QUESTION_LIMIT, signal);
    const major = majorVersion(plugin.stdout);
    if (plugin.exitCode !== 0 || (major !== null && major < 2)) {
      throw unavailable(
        'docker has no Compose v2 plugin',
        'install docker-compose-plugin for the user that runs the worker',
      );
    }
    const engine = await this.#run(['docker', 'version', '--format', '{{.Server.Version}}'], QUESTION_LIMIT, signal);
    if (engine.exitCode !== 0) {
      const [why = 'no answer'] = cleanLines(engine.stderr, masks).slice(-1);
      const hint = 'does the engine run, does DOCKER_HOST point to it, may the worker use its socket?';
      throw unavailable(`no Docker engine answers: ${why}`, hint, true);
    }
    return engine.stdout.trim();
  }

  /** @returns the variables that are not set: Compose warns and takes an empty text, which may be meant. */
  async #needsValidConfig(masks: Masks, signal: AbortSignal): Promise<string[]> {
    const config = await this.#ask(['config', '-q'], signal);
    if (config.exitCode === 0) return unsetVariables(config.stderr);
    const why = cleanLines(config.stderr, masks).slice(-3).join('; ');
    throw unavailable(
      `Compose does not accept the files in ${this.#directory}: ${why}`,
      'try docker compose config -q there',
    );
  }

  async #needsServices(masks: Masks, signal: AbortSignal): Promise<readonly string[]> {
    const listed = await this.#ask(['config', '--services'], signal);
    const known = cleanLines(listed.stdout, masks).map((line) => line.trim());
    const unknown = (this.spec.services ?? []).filter((name) => !known.includes(name));
    if (unknown.length === 0) return this.spec.services ?? known;
    throw unavailable(
      `the Compose project has no service ${unknown.join(', ')}`,
      `it has ${known.join(', ') || 'none'}`,
    );
  }

  #ask(subcommand: readonly string[], signal: AbortSignal): Promise<Ended> {
    return this.#run([...this.#compose, ...subcommand], QUESTION_LIMIT, signal);
  }

  #run(argv: readonly string[], limit: number, signal: AbortSignal): Promise<Ended> {
    return runTool({ argv, directory: this.#directory, environment: this.#environment, limit }, signal);
  }

  /** Compose reads `.env` where no file is named. */
  #masks(): Promise<Masks> {
    return masksOfEnvFile(resolve(this.#directory, this.spec.envFile ?? '.env'));
  }
}
