/** The example systems that come with Keyturn: `keyturn up` starts them when their inventory is the one in use. */
import { realpath } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { prepareSystems, type ExampleSystem } from '../demo/systems.js';
import { SYSTEM_NAMES, type ExampleName } from '../demo/systems/blueprints.js';
import { arenaPython } from '../demo/systems/programs.js';
import { KeyturnError } from '../domain/errors.js';
import { temporaryDirectory } from '../embedded/directories.js';
import type { Postgres } from '../embedded/postgres.js';
import { recreateDatabase } from './embedded-databases.js';
import type { EmbeddedOptions } from './embedded-places.js';

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));

export async function areBundledExamples(inventory: string): Promise<boolean> {
  const real = (path: string): Promise<string | null> => realpath(path).catch(() => null);
  const [one, other] = await Promise.all([real(inventory), real(EXAMPLES)]);
  return one !== null && one === other;
}

/** @returns null: all. @throws KeyturnError `bad-usage` for a system that does not exist. */
export function exampleChoice(names: string | undefined): ExampleName[] | null {
  if (names === undefined) return null;
  return names.split(',').map((text) => {
    const name = SYSTEM_NAMES.find((one) => one === text.trim());
    if (name) return name;
    throw new KeyturnError('bad-usage', `there is no example system "${text.trim()}"`, {
      hint: `there are ${SYSTEM_NAMES.join(', ')}`,
    });
  });
}

/**
 * Each run has systems of its own, with fresh secrets and files: their last databases go, also where state is kept.
 * @param chosen null: all that can run here. @throws KeyturnError `example-not-started`; `no-python` where arena was asked for.
 */
export async function bringUpExamples(
  postgres: Postgres,
  { shutdown, onProgress }: Pick<EmbeddedOptions, 'shutdown' | 'onProgress'>,
  chosen: readonly ExampleName[] | null,
): Promise<ExampleSystem[]> {
  const only = chosen ?? (await thatCanRun(onProgress));
  const workspace = await temporaryDirectory('examples');
  shutdown.add('files of the example systems', () => workspace.remove());
  const systems = await prepareSystems({
    workspace: workspace.path,
    postgres: { createDatabase: (name) => recreateDatabase(postgres, name) },
    only,
    onProgress,
  });
  shutdown.add('example systems', () => Promise.all(systems.map((system) => system.stop())));
  return systems;
}

/** All but arena need nothing that Keyturn does not. */
async function thatCanRun(onProgress: (line: string) => void): Promise<ExampleName[]> {
  try {
    await arenaPython(EXAMPLES, onProgress);
    return [...SYSTEM_NAMES];
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    onProgress(`the example arena does not run here: ${error.message}`);
    return SYSTEM_NAMES.filter((name) => name !== 'arena');
  }
}
