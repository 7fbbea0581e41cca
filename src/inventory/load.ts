/** Reads an inventory: strictly, all problems at once, each with its file and line. */
import { readdir, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { KeyturnError } from '../domain/errors.js';
import { crosscheck } from './crosscheck.js';
import type { Inventory, InventorySystem } from './inventory.js';
import { inOrder, InventoryError, type Path, type Problem } from './problems.js';
import { complaints } from './schema-problems.js';
import { systemSchema } from './schema.js';
import { child } from './known-keys.js';
import { FileMemo } from '../processes/file-memo.js';
import { SharedLooks } from '../processes/shared-looks.js';
import { readRegular } from '../processes/read-regular.js';
import { readYaml, type Place } from './yaml-source.js';

export type { Inventory, InventorySystem } from './inventory.js';

/** A system has some hundred lines; whatever is larger is something else. */
const LARGEST = 1_048_576;
/** More files than any inventory has; beyond, the rest is read each time. */
const MOST_FILES = 10_000;

interface ReadSystem {
  /** null when there are problems. */
  readonly system: InventorySystem | null;
  readonly problems: readonly Problem[];
  /** Finds a place in it again; parses once more, since it is asked for problems only. */
  readonly locate: (path: Path) => Place | null;
}

/** Reads an inventory once. @throws InventoryError as `InventoryReader.load`. */
export async function loadInventory(directoryOrFile: string): Promise<Inventory> {
  return await new InventoryReader(directoryOrFile).load();
}

/** For a worker, which asks at every run: a file is read anew once it has changed, so an edit counts from the next run on. */
export class InventoryReader {
  readonly #source: string;
  readonly #files: FileMemo<string, ReadSystem>;
  readonly #looks = new SharedLooks<'all', Inventory>();
  #last: Inventory | null = null;

  /** @param settled as FileMemo's. */
  constructor(directoryOrFile: string, settled?: number) {
    this.#source = resolve(directoryOrFile);
    this.#files = new FileMemo(MOST_FILES, settled);
  }

  /**
   * Every `*.yaml` and `*.yml` in a directory (Compose files and names with a leading dot aside) and every `system.yaml` one
   * level below; or one file. The same object as long as nothing changes.
   * @throws InventoryError (`bad-inventory`) with every problem in every file.
   */
  load(): Promise<Inventory> {
    return this.#looks.ask('all', () => this.#load());
  }

  async #load(): Promise<Inventory> {
    const files = await findSystemFiles(this.#source);
    const read = await Promise.all(
      files.map((file) => this.#files.get(file, async () => ({ value: await readSystem(file), paths: [file] }))),
    );
    const systems = read.flatMap(({ system }) => (system ? [system] : []));
    const last = this.#last;
    const same = systems.length === last?.systems.length && systems.every((one, index) => one === last.systems[index]);
    if (last && same && systems.length === read.length) return last;
    const locate = new Map(read.map((one) => [one.system, one.locate]));
    const found = crosscheck(systems).map(({ system, path, message, hint }) =>
      problem(system.shownAs, locate.get(system)?.(path) ?? null, inWords(path, system.spec), message, hint),
    );
    const problems = inOrder([...read.flatMap((one) => one.problems), ...found]);
    if (problems.length > 0) throw new InventoryError(problems);
    this.#last = { source: this.#source, systems };
    return this.#last;
  }
}

async function findSystemFiles(source: string): Promise<string[]> {
  const refuse = (message: string, hint: string): InventoryError =>
    new InventoryError([problem(shown(source), null, '', message, hint)]);
  try {
    if (!(await stat(source)).isDirectory()) return [source];
    const found = (await readdir(source, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'));
    const entries = found.map(({ name }) => name).sort();
    const mayLead = new Set(found.filter((entry) => !entry.isFile()).map(({ name }) => name));
    const directories = entries.filter((name) => mayLead.has(name));
    const nested = await Promise.all(directories.map((name) => systemFilesIn(join(source, name))));
    const files = [...entries.filter(isSystemFile).map((name) => join(source, name)), ...nested.flat()];
    if (files.length > 0) return files;
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw refuse(`cannot be read: ${codeOf(error)}`, 'name a directory of system files, or one file, with --inventory');
  }
  throw refuse('has no system files', 'expected NAME.yaml, or NAME/system.yaml, one system a file');
}

async function systemFilesIn(directory: string): Promise<string[]> {
  const names = ['system.yaml', 'system.yml'].map((name) => join(directory, name));
  const there = await Promise.all(names.map((name) => stat(name).then(() => true, absent)));
  return names.filter((_, index) => there[index]);
}

function absent(error: unknown): boolean {
  // Anything but "not there" must be told, when the file is read.
  return !['ENOENT', 'ENOTDIR'].includes(codeOf(error));
}

function isSystemFile(name: string): boolean {
  return /\.ya?ml$/i.test(name) && !/^(?:docker-)?compose\b.*\.ya?ml$/i.test(name);
}

async function readSystem(file: string): Promise<ReadSystem> {
  const shownAs = shown(file);
  const fail = (message: string, hint: string | null): ReadSystem =>
    unusable([problem(shownAs, null, '', message, hint)]);
  let text: string;
  try {
    const bytes = await readRegular(file, LARGEST);
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'too-large')
      return fail('is larger than 1 MiB', 'one system a file');
    if (error instanceof KeyturnError) return fail('cannot be read: it is not a regular file', null);
    if (error instanceof TypeError) return fail('is not UTF-8 text', null);
    return fail(`cannot be read: ${codeOf(error)}`, null);
  }
  return parseSystem(file, shownAs, text);
}

function unusable(problems: readonly Problem[]): ReadSystem {
  return { system: null, problems, locate: () => null };
}

function parseSystem(file: string, shownAs: string, text: string): ReadSystem {
  const { data, problems: source, locate } = readYaml(text);
  const problems = source.map((one) => problem(shownAs, one, inWords(one.path, data), one.message, one.hint));
  if (data === undefined) return unusable(problems);
  if (data === null) return unusable([problem(shownAs, null, '', 'is empty', 'start with system: NAME')]);
  const result = systemSchema.safeParse(data);
  if (!result.success) {
    for (const { path, message, hint } of complaints(systemSchema, data, result.error.issues)) {
      problems.push(problem(shownAs, locate(path), inWords(path, data), message, hint));
    }
    return unusable(problems);
  }
  // The parsed document, some forty times its text, is let go.
  return { system: { file, shownAs, spec: result.data }, problems, locate: (path) => readYaml(text).locate(path) };
}

function problem(file: string, place: Place | null, path: string, message: string, hint: string | null): Problem {
  return { file, line: place?.line ?? 0, column: place?.column ?? 0, path, message, hint };
}

/** `environments.production.secrets.X.services[1]` */
function inWords(path: Path, data: unknown): string {
  let words = '';
  path.forEach((step, index) => {
    const environment = index === 1 && path[0] === 'environments' && typeof step === 'number';
    const name = environment ? child(child(child(data, 'environments'), step), 'name') : undefined;
    if (typeof name === 'string') words += `.${name}`;
    else words += typeof step === 'number' ? `[${step}]` : `${words ? '.' : ''}${step}`;
  });
  return words;
}

/** Relative to where the person is, when the file is below it. */
function shown(file: string): string {
  const path = relative(process.cwd(), file);
  return path === '' || path.startsWith('..') || isAbsolute(path) ? file : path;
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : 'unexpected error';
}
