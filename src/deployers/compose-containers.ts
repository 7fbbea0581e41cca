/**
 * The containers of a Compose project before and after a deploy: whether those of the service were replaced at all, and whether the
 * deploy has broken others (mediavault's runbook looks at `ps` of the whole project).
 */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../domain/errors.js';
import { reachIn } from './compose-config.js';
import { describeState, isFailing, parseContainers, type Container } from './compose-facts.js';
import type { Containers, Reach } from './deployer.js';

/** Runs a question. @throws KeyturnError when it cannot be asked. @returns what it printed; null: it failed. */
export type AskDocker = (argv: readonly string[], signal: AbortSignal) => Promise<string | null>;

const LOOKS = 3;
const LOOK_EVERY = 500;
/** Less is the time that the answer took. */
const CLOCKS_DIFFER = 5_000;
/** One that is still starting by then is named, and not waited for: its own project may give it minutes. */
const STARTING_LIMIT = 60_000;
/**
 * The engine's first pauses between restarts are 0.1, 0.2, 0.4, 0.8 s: whoever fails at its start does so again within this, on a busy
 * machine too. Only one that has restarted already is watched. The engine itself counts one that ran this long as started.
 */
const RESTARTS_WATCHED = 10_000;

/** Not its configuration, which has values in it. */
const FORMAT =
  '{"id":{{json .Id}},"service":{{json (index .Config.Labels "com.docker.compose.service")}},' +
  '"state":{{json .State}},"restarts":{{.RestartCount}}}';

export interface ComposeProject {
  /** As the inventory names the service, for messages. */
  readonly service: string;
  /** Of the Compose project; undefined: all. */
  readonly services: readonly string[] | undefined;
  readonly action: string;
  /** `docker compose` with the options that say which project. */
  readonly compose: readonly string[];
  readonly ask: AskDocker;
}

export class ComposeContainers implements Containers {
  constructor(private readonly project: ComposeProject) {}

  async reach(texts: readonly string[], signal: AbortSignal): Promise<Reach | null> {
    const { compose, ask, services, action } = this.project;
    const config = await ask([...compose, 'config', '--format', 'json'], signal);
    return config === null ? null : reachIn(config, texts, services, action !== 'restart');
  }

  async lookBefore(signal: AbortSignal): Promise<Container[]> {
    const first = await this.look(signal);
    const now = Date.now() + (await this.#clockAhead(signal));
    // One that is caught while it runs would count as well before, and as broken by the deploy after it.
    const restarted = first.filter(
      ({ restarts, startedAt }) => restarts > 0 && now - Date.parse(startedAt) < RESTARTS_WATCHED,
    );
    return this.#restartAgain(restarted, first, signal);
  }

  async look(signal: AbortSignal): Promise<Container[]> {
    const { compose, ask, service } = this.project;
    // A container that goes between the two questions makes the second fail.
    for (let attempt = 1; attempt <= LOOKS; attempt += 1) {
      const listed = await ask([...compose, 'ps', '-a', '-q'], signal);
      if (listed === null) break;
      const ids = listed.split(/\s+/).filter((id) => /^[0-9a-f]{12,64}$/.test(id));
      if (ids.length === 0) return [];
      const inspected = await ask(['docker', 'inspect', '--type', 'container', '--format', FORMAT, ...ids], signal);
      if (inspected !== null) return parseContainers(inspected);
    }
    throw cannotLook(service);
  }

  async assertReplaced(before: readonly Container[], changed: readonly string[], signal: AbortSignal): Promise<void> {
    const { service, services, action } = this.project;
    const own = (await this.look(signal)).filter((container) => services?.includes(container.service) ?? true);
    const running = own.filter(({ state }) => state !== 'exited' && state !== 'created');
    const same = running.filter((container) => before.some((earlier) => isSame(container, earlier)));
    if (same.length === 0) return;
    // An earlier attempt, or an earlier run, may have done it: then they started after the files were last changed.
    const since = (await lastChange(changed)) + (await this.#clockAhead(signal));
    const stale = same.filter(({ startedAt }) => !(Date.parse(startedAt) > since));
    const missed = services === undefined ? stale.length === running.length : stale.length > 0;
    if (!missed) return;
    const names = [...new Set(stale.map((container) => container.service))];
    const [were, run, values] =
      names.length === 1 ? ['was', 'it still runs', 'it'] : ['were', 'they still run', 'they'];
    throw new KeyturnError(
      'deploy-failed',
      `${service}: ${names.join(', ')} ${were} not replaced or restarted: ${run} with the values ${values} started with`,
      {
        effect: 'unknown',
        hint:
          action === 'up'
            ? 'does its part of the Compose file get the variable (environment or env_file)? what it reads from a mounted file needs action: restart'
            : 'does the container belong to this project? see docker compose ps there',
      },
    );
  }

  async assertProjectWell(before: readonly Container[], signal: AbortSignal): Promise<string[]> {
    const wasFailing = ({ service }: Container): boolean =>
      before.some((earlier) => earlier.service === service && isFailing(earlier));
    const started = await this.#started(before, signal);
    const watched = started.filter((container) => newRestarts(container, before) > 0 || wasFailing(container));
    const now = await this.#restartAgain(watched, started, signal);
    const failing = now.filter(isFailing);
    const broken = failing.filter((container) => !wasFailing(container));
    if (broken.length > 0) {
      const states = broken.map(describeState);
      throw new KeyturnError(
        'deploy-failed',
        `${this.project.service}: after the deploy not all of its Compose project is well: ${states.join(', ')}`,
        { effect: 'applied', retryable: true, hint: 'see docker compose ps and logs there; it was well before' },
      );
    }
    const starting = now.filter((container) => container.health === 'starting' && !isUnchanged(container, before));
    const once = now.filter((container) => newRestarts(container, before) > 0 && !isFailing(container));
    return [
      ...failing.map((container) => `${describeState(container)}, as before the deploy`),
      ...once.map(
        (container) => `${container.service} restarted ${times(newRestarts(container, before))} and runs now`,
      ),
      ...starting.map(({ service }) => `${service} is still starting`),
    ];
  }

  /** @returns `first`, with those of `watched` that were seen to fail or to restart once more as failing, whatever they did at first. */
  async #restartAgain(
    watched: readonly Container[],
    first: readonly Container[],
    signal: AbortSignal,
  ): Promise<Container[]> {
    const failing = new Map<string, Container>();
    let now = first;
    for (const until = performance.now() + RESTARTS_WATCHED; ; now = await this.look(signal)) {
      for (const { id, restarts } of watched) {
        const container = now.find((other) => other.id === id);
        if (container && isFailing(container)) failing.set(id, container);
        else if (container && container.restarts > restarts) failing.set(id, { ...container, state: 'restarting' });
      }
      if (failing.size === watched.length || performance.now() > until) break;
      await sleep(LOOK_EVERY, undefined, { signal });
    }
    return first.map((container) => failing.get(container.id) ?? container);
  }

  /** What the deploy has started gets time to come up. */
  async #started(before: readonly Container[], signal: AbortSignal): Promise<Container[]> {
    const until = performance.now() + STARTING_LIMIT;
    for (;;) {
      const now = await this.look(signal);
      const starting = now.some(
        (container) =>
          (container.health === 'starting' || container.state === 'created') && !isUnchanged(container, before),
      );
      if (!starting || performance.now() > until) return now;
      await sleep(LOOK_EVERY, undefined, { signal });
    }
  }

  /** Milliseconds by which the engine's clock is ahead of this one: it may be on another host. */
  async #clockAhead(signal: AbortSignal): Promise<number> {
    const said = await this.project.ask(['docker', 'info', '--format', '{{.SystemTime}}'], signal);
    const time = Date.parse(said?.trim() ?? '');
    const ahead = time - Date.now();
    return Math.abs(ahead) > CLOCKS_DIFFER ? ahead : 0;
  }
}

/** When the last of these files was written; never, for none: then nothing counts as done by an earlier attempt. */
async function lastChange(files: readonly string[]): Promise<number> {
  const times = await Promise.all(files.map(async (file) => (await stat(file).catch(() => null))?.mtimeMs ?? 0));
  const last = Math.max(0, ...times);
  return last === 0 ? Infinity : last;
}

function isSame(one: Container, other: Container): boolean {
  return one.id === other.id && one.startedAt === other.startedAt;
}

function isUnchanged(container: Container, before: readonly Container[]): boolean {
  return before.some((earlier) => isSame(container, earlier));
}

/** The engine counts from a container's making, and anew when it is restarted by hand. */
function newRestarts(container: Container, before: readonly Container[]): number {
  const earlier = before.find(({ id, restarts }) => id === container.id && restarts <= container.restarts);
  return container.restarts - (earlier?.restarts ?? 0);
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function cannotLook(service: string): KeyturnError {
  return new KeyturnError('deployer-unavailable', `${service}: docker compose ps fails`, {
    retryable: true,
    hint: 'run docker compose ps -a in the directory of the project',
  });
}
