/** Where else a credential stands: `DIRECT_URL` beside `DATABASE_URL`. Names only; nothing is compared but whole values and their parts. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecretValue } from '../domain/secret-value.js';
import { READERS } from './dotenv/agreement.js';
import { parseEnvText } from './dotenv/document.js';
import { referencesIn } from './dotenv/references.js';

/** Env files have some kilobytes, a mounted secret fewer; what is larger holds something else. */
const LARGEST = 1_048_576;
const MOST_FILES = 256;
const LONGEST_VALUE = 65_536;
/** Shorter ones are equal by chance: `app`, `5432`. */
const SHORTEST = 8;

export interface Spot {
  readonly file: string;
  /** null: the file as a whole. */
  readonly variable: string | null;
}

/**
 * @param places env files and directories of secrets; one that cannot be read has no copies.
 * @returns where `value` stands, alone or as a part (the password of a URL, a field of a JSON text, one of a list). A variable that
 * takes it over by `${…}` changes with it, and is no copy.
 */
export async function copiesOf(value: SecretValue, places: readonly string[]): Promise<Spot[]> {
  if (value.length < SHORTEST) return [];
  const text = value.reveal();
  const spots = await Promise.all(places.map((place) => valuesAt(place)));
  return spots.flat().flatMap(({ texts, ...spot }) => {
    return texts.flatMap(partsOf).includes(text) ? [spot] : [];
  });
}

async function valuesAt(place: string): Promise<(Spot & { readonly texts: readonly string[] })[]> {
  const isDirectory = (await stat(place).catch(() => undefined))?.isDirectory() ?? false;
  if (!isDirectory) return variablesOf(place, await contentOf(place));
  const names = (await readdir(place).catch((): string[] => [])).slice(0, MOST_FILES);
  return await Promise.all(
    names.map(async (name) => {
      const file = join(place, name);
      const text = await contentOf(file);
      return { file, variable: null, texts: [text, text.trim()] };
    }),
  );
}

function variablesOf(file: string, text: string): (Spot & { readonly texts: readonly string[] })[] {
  const readings = READERS.map((reader) => reader.read(text).variables);
  return parseEnvText(text)
    .filter(({ raw, style }) => style === 'single' || referencesIn(raw.text).length === 0)
    .map(({ key }) => {
      const texts = readings.flatMap((variables) => variables.get(key)?.value ?? []);
      return { file, variable: key, texts: [...new Set(texts)] };
    });
}

async function contentOf(file: string): Promise<string> {
  const stats = await stat(file).catch(() => undefined);
  if (!stats?.isFile() || stats.size > LARGEST) return '';
  return await readFile(file, 'utf8').catch(() => '');
}

function partsOf(text: string): string[] {
  if (text === '' || text.length > LONGEST_VALUE) return [];
  const userinfo = [...text.matchAll(/:\/\/([^\s/?#@:]*):([^\s@]*)@/g)].flatMap(([, user = '', password = '']) => [
    user,
    password,
  ]);
  const keywords = [...text.matchAll(/\b(?:password|pwd)=("[^"]*"|'[^']*'|[^\s&;]*)/gi)].map(([, word = '']) =>
    word.replaceAll(/^["']|["']$/g, ''),
  );
  const inUrl = [...userinfo, ...keywords];
  return [text, ...text.split(/[\s,;]+/), ...inUrl, ...inUrl.map(decoded), ...stringsIn(parsed(text))];
}

function stringsIn(json: unknown): string[] {
  if (typeof json === 'string') return [json];
  return typeof json === 'object' && json !== null ? Object.values(json).flatMap(stringsIn) : [];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parsed(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
