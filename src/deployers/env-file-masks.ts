/** The values of an env file, as masks for what Compose and its containers print. */
import { readFile } from 'node:fs/promises';
import { assignments } from '../processes/env-assignments.js';
import { addMask, type Masks } from '../processes/masks.js';

/**
 * Every value in an env file, and what Keyturn keeps beside it in `FILE.keyturn`. Read anew for every deploy: the worker that
 * deploys may have been started after the one that staged the value, and has never met it. A file that cannot be read gives none.
 */
export async function masksOfEnvFile(file: string): Promise<Masks> {
  const masks = new Map<string, string>();
  for (const [name, value] of assignments(await readFile(file, 'utf8').catch(() => ''))) {
    addMask(masks, value, `[$${name}]`);
    // Parts show up alone: one value of a list, the password inside a URL, a line of a key.
    for (const part of value.split(/[\s,;]+/)) addMask(masks, part, `[$${name}]`);
    const password = /^[a-z][a-z0-9+.-]*:\/\/[^:@]*:(.*)@/i.exec(value)?.[1];
    if (password !== undefined) addMask(masks, password, `[$${name}]`);
  }
  const beside = await readFile(`${file}.keyturn`, 'utf8').catch(() => '');
  for (const [token] of beside.matchAll(/[^\s"',:=[\]{}]{16,}/g)) addMask(masks, token, '[secret]');
  return masks;
}
