/**
 * The files whose values must not be shown. What `redact` takes out is what this process has met, and the process that shows
 * something (the output of a deploy, an answer) may have been started a moment ago; so whatever runs a program or asks a service
 * meets the values of these files first, and once more before it looks at what came back: they may have changed meanwhile.
 */
import { constants } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pinValues } from '../domain/secret-value.js';
import { FileMemo } from './file-memo.js';
import { SharedLooks } from './shared-looks.js';
import { textsOfEnvFile, textsOfSecretFile, textsOfSidecar } from './hidden-texts.js';

/** The least recently named go first: those of runs that ended long ago. */
const MOST_PLACES = 256;
/** Of a directory that is no directory of secrets after all. */
const MOST_FILES = 256;
/** Env files have a few kilobytes; a Docker secret has 500 at most. */
const LARGEST = 1_048_576;

const places = new Set<string>();
const texts = new FileMemo<string, readonly string[]>(MOST_PLACES);
const looks = new SharedLooks<'all', void>();

/** From now on, in this process. Cheap to repeat: every attempt of every activity says it anew. @param place an absolute path. */
export function hideValuesOf(place: string): void {
  places.delete(place);
  places.add(place);
  const [oldest] = places;
  if (places.size > MOST_PLACES && oldest !== undefined) places.delete(oldest);
}

/** Afterwards `redact` knows every value that stands in these places now. What cannot be read has none. Never throws. */
export function meetHiddenValues(): Promise<void> {
  return looks.ask('all', meetAll);
}

async function meetAll(): Promise<void> {
  const found = await Promise.all([...places].map((place) => texts.get(place, () => textsAt(place))));
  pinValues(found.flat());
}

/**
 * Every absolute path that a plan, or a piece of one, says to hide: `secretFiles: […]`, and `store: { file }` or
 * `store: { directory }`, at any depth.
 */
export function secretPlacesIn(data: unknown): string[] {
  if (typeof data !== 'object' || data === null) return [];
  return Object.entries(data).flatMap(([key, value]: [string, unknown]) => {
    if (key === 'secretFiles' && Array.isArray(value)) return value.filter((file) => typeof file === 'string');
    const store =
      key === 'store' && typeof value === 'object' ? (value as Readonly<Record<string, unknown>> | null) : null;
    const place = store?.['file'] ?? store?.['directory'];
    return typeof place === 'string' ? [place] : secretPlacesIn(value);
  });
}

async function textsAt(place: string): Promise<{ value: string[]; paths: string[] }> {
  // What Keyturn keeps stands beside the file or directory itself, behind any symlink.
  const real = await realpath(place).catch(() => place);
  const paths = [place, real, `${real}.keyturn`];
  const sidecar = textsOfSidecar(await contentOf(`${real}.keyturn`));
  const isDirectory = (await stat(real).catch(() => undefined))?.isDirectory() ?? false;
  if (!isDirectory) return { value: [...textsOfEnvFile(await contentOf(real)), ...sidecar], paths };
  const names = (await readdir(real).catch((): string[] => [])).slice(0, MOST_FILES);
  const values = names.map(async (name) => textsOfSecretFile(name, await contentOf(join(real, name))));
  const files = names.map((name) => join(real, name));
  return { value: [...(await Promise.all(values)).flat(), ...sidecar], paths: [...paths, ...files] };
}

/** Nothing of a directory, or of what never ends. */
async function contentOf(file: string): Promise<string> {
  try {
    // Without waiting: in the meantime it may have become a pipe.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) return '';
      const { buffer, bytesRead } = await handle.read({
        buffer: Buffer.alloc(Math.min(stats.size, LARGEST)),
        position: 0,
      });
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch {
    return '';
  }
}
