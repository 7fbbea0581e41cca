/** No two secrets share a place: rotating one would change the other (document 001: different secrets for different environments). */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { placeIn, samePlace, withPath, type Place } from '../../domain/place.js';
import type { InventorySystem } from '../inventory.js';
import type { MergedEnvironment, MergedSecret } from '../merge.js';
import type { Path } from '../problems.js';
import { replaceSettings } from '../settings.js';
import type { Finding } from './findings.js';

interface Claim extends Place {
  readonly owner: string;
  /** `url:password`, `json:/x`, or empty for the whole of it. */
  readonly part: string;
}

/** A variable or file in which a secret stands, and where the inventory says so. */
export interface SecretName {
  readonly name: string;
  readonly part: string;
  readonly path: Path;
}

/** Remembers every place met so far, over all systems. */
export class Places {
  readonly #claims = new Map<string, Claim[]>();

  claim(system: InventorySystem, environment: MergedEnvironment): Finding[] {
    return [...environment.secrets.values()].flatMap((secret) => {
      const store = environment.stores.get(secret.store)?.value;
      if (!store) return [];
      const owner = `${system.spec.system}/${environment.name}/${secret.name}`;
      return namesOf(secret).flatMap(({ name, part, path }): Finding[] => {
        const seen = withPath(store, (stored) => resolve(dirname(system.file), seenThrough(stored, environment)));
        const { file, variable } = placeIn(seen, name);
        const holder = this.#take({ file: realPlace(file), variable, owner, part });
        return holder === null ? [] : [conflict(path, name, holder)];
      });
    });
  }

  /** @returns who holds the place already, or null. */
  #take(claim: Claim): string | null {
    const claims = this.#claims.get(claim.file) ?? [];
    const holder = claims.find(
      (other) =>
        other.owner !== claim.owner &&
        samePlace(other, claim) &&
        (other.part === claim.part || other.part === '' || claim.part === ''),
    );
    this.#claims.set(claim.file, [...claims, claim]);
    return holder?.owner ?? null;
  }
}

/** Its own, and the second one. */
export function namesOf(secret: MergedSecret): SecretName[] {
  const { overlap, encryption, swap } = secret;
  if (swap?.credential.in === 'variables') {
    const { user, password } = swap.credential;
    const path = secret.placeOf('swap');
    return [user, password].map((name) => ({ name, part: '', path }));
  }
  const own = { name: secret.key, part: partName(secret), path: secret.placeOf('key') };
  const field = secret.kind === 'encryption' ? 'encryption' : 'overlap';
  const twice = field === 'encryption' ? encryption?.bothKeys : overlap;
  if (twice?.style !== 'previous') return [own];
  const under = field === 'encryption' ? ['bothKeys', 'variable'] : ['variable'];
  return [own, { name: twice.variable, part: '', path: [...secret.placeOf(field), ...under] }];
}

function conflict(path: Path, key: string, holder: string): Finding {
  const message = `${key} in this store already belongs to ${holder}`;
  return { path, message, hint: 'one place, one secret: use another variable, file or part' };
}

function partName(secret: MergedSecret): string {
  if (!secret.part) return '';
  return 'url' in secret.part ? `url:${secret.part.url}` : `json:${secret.part.json}`;
}

/** The file as far as it is known without a worker: a variable without its value still tells two files apart. */
function seenThrough(file: string, environment: MergedEnvironment): string {
  return replaceSettings(file, (name) => {
    const setting = environment.settings.get(name)?.value;
    if (typeof setting !== 'object') return setting?.toString();
    return `<${setting.env}:${setting.default ?? ''}>`;
  });
}

/** Behind symlinks, as far as the path exists here: two names of one file would be two locks for one secret. */
export function realPlace(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(realPlace(dirname(path)), basename(path));
  }
}
