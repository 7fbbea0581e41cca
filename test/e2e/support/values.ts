/** Every value that the example systems have held while something ran: what must stand nowhere else. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExampleSystem } from '../../../src/demo/systems.js';

/** A staged value stays for at least a deploy or a gate; this is far more often. */
const EVERY_MS = 40;
const SECRET = /(SECRET|KEY|TOKEN|PASSWORD)$/;
/** Anything shorter is no value but a piece of a format. */
const SHORTEST = 12;

export interface Collector {
  readonly values: ReadonlySet<string>;
  /** How many were new in the sidecars: staged ones, seen before any application was. */
  readonly staged: number;
  stop(): Promise<void>;
}

export function collectValues(systems: readonly ExampleSystem[]): Collector {
  const values = new Set<string>();
  const stopping = new AbortController();
  let staged = 0;
  const add = (value: string): boolean => {
    if (value.length < SHORTEST || values.has(value)) return false;
    values.add(value);
    return true;
  };
  for (const { password, variables } of systems) {
    add(password.reveal());
    for (const value of Object.values(variables)) for (const part of passwordsIn(value)) add(part);
  }
  const look = async (): Promise<void> => {
    for (const { envFile } of systems) {
      // The sidecar first: what is in it is then counted as staged.
      for (const value of inSidecar(await textOf(`${envFile}.keyturn`))) if (add(value)) staged += 1;
      for (const value of inEnvFile(await textOf(envFile))) add(value);
    }
  };
  const running = (async () => {
    await look();
    staged = 0;
    while (!stopping.signal.aborted) {
      await look();
      await sleep(EVERY_MS);
    }
    await look();
  })();
  return {
    values,
    get staged() {
      return staged;
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

export function inEnvFile(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [key = '', value = ''] = line.split(/=(.*)/s);
    return SECRET.test(key) ? value.split(',') : passwordsIn(value);
  });
}

function inSidecar(text: string): string[] {
  if (text === '') return [];
  const { entries } = JSON.parse(text) as { entries: Record<string, { old: string; new: string; rest: string[] }> };
  const values = Object.values(entries).flatMap((entry) => [entry.old, entry.new, ...entry.rest]);
  // Of a URL its password counts: the rest of it is no secret, and may stand anywhere.
  return values.flatMap((value) => (URL.canParse(value) && new URL(value).password ? passwordsIn(value) : [value]));
}

/** The password of a URL, as written and as meant. */
function passwordsIn(value: string): string[] {
  if (!URL.canParse(value)) return [];
  const { password } = new URL(value);
  return password === '' ? [] : [password, decodeURIComponent(password)];
}

function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
