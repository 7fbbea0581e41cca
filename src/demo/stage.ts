/** `keyturn up` in a directory of the demo's own, as a process that dies with the demo; and the traffic on its systems. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { KeyturnError } from '../domain/errors.js';
import { SecretValue } from '../domain/secret-value.js';
import { readFile } from 'node:fs/promises';
import { spawnGuarded } from '../embedded/reaper.js';
import { readSession, type Session } from '../embedded/session-file.js';
import type { Shutdown } from '../embedded/shutdown.js';
import { EXAMPLES } from './keyturn.js';
import { BLUEPRINTS, EXAMPLE_NAMES, MESSAGING, type Blueprint, type ExampleName } from './systems/blueprints.js';

const MAIN = fileURLToPath(new URL('../cli/main.js', import.meta.url));
/** Cold: the Temporal server is fetched once a machine. */
const START_MS = 300_000;

export interface DemoSystem {
  readonly name: ExampleName;
  readonly environment: string;
  readonly ref: string;
  readonly url: string;
  readonly envFile: string;
  readonly users: readonly string[];
  readonly password: SecretValue;
}

export interface Stage {
  readonly directory: string;
  readonly session: Session;
  readonly systems: readonly DemoSystem[];
  /** Its environments, in rollout order. */
  readonly messaging: readonly DemoSystem[];
  /** What `keyturn up`, with its worker, has printed so far. */
  readonly log: () => Promise<string>;
}

/** @throws KeyturnError `demo-failed` with the last lines of `keyturn up` when it does not come up. */
export async function setStage(shutdown: Shutdown): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-demo-'));
  shutdown.add('workspace', () => rm(directory, { recursive: true, force: true }));
  const logFile = join(directory, 'up.log');
  const examples = [...EXAMPLE_NAMES, 'messaging'].join(',');
  const argv = [MAIN, '--inventory', EXAMPLES, 'up', '--examples', examples];
  const up = await spawnGuarded(process.execPath, argv, { cwd: directory, logFile });
  shutdown.add('keyturn up', () => up.stop(20_000));
  const log = (): Promise<string> => readFile(logFile, 'utf8').catch(() => '');
  const deadline = Date.now() + START_MS;
  let session = await readSession(directory);
  while (!session) {
    if (up.exit || Date.now() > deadline)
      throw new KeyturnError('demo-failed', `keyturn up did not come up:\n${await log()}`);
    await sleep(200, undefined, { signal: shutdown.signal });
    session = await readSession(directory);
  }
  return { directory, session, ...systemsOf(session), log };
}

function systemsOf({ variables }: Session): Pick<Stage, 'systems' | 'messaging'> {
  const variable = (name: string): string => {
    const value = variables[name];
    if (value === undefined) throw new KeyturnError('demo-failed', `the session of keyturn up has no ${name}`);
    return value;
  };
  const systemOf = (name: ExampleName, blueprint: Blueprint): DemoSystem => {
    const { prefix, environment, secret, users, smokeVariable } = blueprint;
    return {
      name,
      environment,
      ref: `${name}/${environment}/${secret}`,
      url: `http://127.0.0.1:${variable(`${prefix}_PORT`)}`,
      envFile: variable(`${prefix}_ENV_FILE`),
      users,
      password: new SecretValue(variable(smokeVariable)),
    };
  };
  return {
    systems: EXAMPLE_NAMES.map((name) => systemOf(name, BLUEPRINTS[name])),
    messaging: MESSAGING.map((blueprint) => systemOf('messaging', blueprint)),
  };
}
