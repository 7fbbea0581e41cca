/** Starts an application that must not come up. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { temporaryDirectory } from '../../../src/embedded/directories.js';
import { EXAMPLES } from './running-system.js';

/** Settings replace those of a start that would get as far as the database, where nobody listens. */
export async function refusalOf(
  name: string,
  settings: Record<string, string>,
): Promise<{ code: number | undefined; output: string }> {
  const directory = await temporaryDirectory('refusal');
  try {
    const envFile = join(directory.path, '.env');
    const lines = Object.entries(settings).map(([key, value]) => `${key}='${value}'`);
    writeFileSync(envFile, `${lines.join('\n')}\n`, { mode: 0o600 });
    const { exitCode, all } = await execa(process.execPath, [join(EXAMPLES, name, 'app', 'server.js')], {
      env: { PATH: process.env.PATH, ENV_FILE: envFile },
      extendEnv: false,
      all: true,
      reject: false,
      timeout: 20_000,
    });
    return { code: exitCode, output: all };
  } finally {
    await directory.remove();
  }
}
