/** Backups: known secrets, recipients that can be encrypted for, and destinations that keep critical secrets apart. */
import { dirname, resolve } from 'node:path';
import { milliseconds } from '../../domain/durations.js';
import { withPath } from '../../domain/place.js';
import type { BackupSpec } from '../../domain/specs/backup.js';
import { namesIn } from '../backups.js';
import { besideAnother, isWithin, ownDirectoryOf, type Destination } from '../destinations.js';
import type { InventorySystem } from '../inventory.js';
import { mergeEnvironments, type MergedEnvironment, type Placed } from '../merge.js';
import type { Path } from '../problems.js';
import { recipientProblem } from '../recipients.js';
import { suggest } from '../suggest.js';
import type { Finding, Report } from './findings.js';
import { isKnown, knownText } from './known-text.js';
import { realPlace } from './places.js';

/** @param all names of the system's secrets: one that does not exist in this environment is left out of what holds for all of them. */
export function checkBackups(environment: MergedEnvironment, all: readonly string[], report: Report): void {
  for (const { value, path } of environment.backups.values()) {
    const names = namesIn(value);
    names.forEach((name, index) => {
      const place = typeof value.secrets === 'string' ? [...path, 'secrets'] : [...path, 'secrets', index];
      const isHere = environment.secrets.has(name);
      if (!all.includes(name)) report(place, `unknown secret "${name}"`, suggest(name, all, 'this system has'));
      else if (!isHere && path[0] === 'environments') report(place, `"${name}" does not exist in this environment`);
      if (names.indexOf(name) !== index) report(place, `secret "${name}" is named twice`);
    });
    const critical = names.filter((name) => environment.secrets.get(name)?.critical);
    if (critical.length > 1) {
      const message = `${critical.join(' and ')} are critical and would lie in one archive`;
      report([...path, 'secrets'], message, 'an archive and a destination each: whoever opens one must not hold both');
    }
    if (milliseconds(value.maxAge) === 0) report([...path, 'maxAge'], 'must be longer than nothing');
    if (value.format === 'age') checkRecipients(value.recipients, [...path, 'recipients'], report);
  }
}

function checkRecipients(recipients: readonly string[], path: Path, report: Report): void {
  recipients.forEach((recipient, index) => {
    const place = [...path, index];
    const problem = recipientProblem(recipient);
    if (problem) report(place, problem.message, problem.hint);
    if (recipients.indexOf(recipient) !== index) report(place, 'is named twice');
  });
}

/** Remembers every destination met so far, and every store, over all systems. */
export class Destinations {
  readonly #met: Destination[] = [];
  readonly #stores: { readonly directory: string; readonly owner: string }[] = [];

  /** @param systems all of them: a backup in one may lie in the directory of another's store. */
  constructor(systems: readonly InventorySystem[]) {
    for (const system of systems) {
      for (const environment of mergeEnvironments(system.spec)) {
        for (const [name, { value }] of environment.stores) {
          const place = withPath(value, (path) => knownText(path, environment));
          const directory = resolve(dirname(system.file), ownDirectoryOf(place));
          const owner = `the store "${name}" of ${system.spec.system}/${environment.name}`;
          if (isKnown(directory)) this.#stores.push({ directory: realPlace(directory), owner });
        }
      }
    }
  }

  claim(system: InventorySystem, environment: MergedEnvironment): Finding[] {
    return [...environment.backups].flatMap(([name, placed]) => {
      const destination = this.#destinationOf(system, environment, name, placed);
      const path = [...placed.path, 'to', 'directory'];
      const found = this.#conflicts(destination).map(({ message, hint }) => ({ path, message, hint }));
      this.#met.push(destination);
      return found;
    });
  }

  #conflicts(destination: Destination): Omit<Finding, 'path'>[] {
    const { directory, critical, backup } = destination;
    const beside = this.#met.flatMap((other) => {
      const secret = besideAnother(destination, other);
      return secret === null ? [] : [{ secret, other }];
    })[0];
    const store = isKnown(directory) ? this.#stores.find((one) => isWithin(directory, one.directory)) : undefined;
    return [
      ...(beside
        ? [
            {
              message: `${critical.join(', ')} (critical) would lie beside ${beside.secret} (critical too), which ${beside.other.backup} puts there`,
              hint: 'one critical secret a destination: another directory, on another medium',
            },
          ]
        : []),
      ...(store
        ? [
            {
              message: `${backup} would lie in the directory of ${store.owner}`,
              hint: 'elsewhere: what destroys the one must not destroy the other',
            },
          ]
        : []),
    ];
  }

  #destinationOf(
    system: InventorySystem,
    environment: MergedEnvironment,
    name: string,
    { value }: Placed<BackupSpec>,
  ): Destination {
    const owner = `${system.spec.system}/${environment.name}`;
    return {
      backup: `${owner}/${name}`,
      critical: namesIn(value)
        .filter((secret) => environment.secrets.get(secret)?.critical)
        .map((secret) => `${owner}/${secret}`),
      directory: realPlace(resolve(dirname(system.file), knownText(value.to.directory, environment))),
    };
  }
}
