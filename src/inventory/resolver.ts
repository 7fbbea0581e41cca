/** Turns the names in an inventory into what they stand for in one environment. */
import { dirname, resolve } from 'node:path';
import { KeyturnError } from '../domain/errors.js';
import { pathOf } from '../domain/place.js';
import type { PlannedProof, PlannedRevocation, PlannedServer, PlannedService } from '../domain/plan.js';
import type { CheckSpec, MonitorSpec, PlannedCheck, PlannedMonitor } from '../domain/specs/check.js';
import type { CredentialRef } from '../domain/specs/common.js';
import type { DatabaseRef } from '../domain/specs/database.js';
import type { FoundSecret } from './find.js';
import type { Named } from './merge.js';
import { nodeAt } from './nodes.js';
import { SettingValues, type Variables } from './settings.js';

/** Turns names into what they stand for in one environment, with settings filled in and paths absolute. */
export class Resolver {
  readonly settings: SettingValues;

  constructor(
    private readonly found: FoundSecret,
    variables: Variables,
  ) {
    this.settings = new SettingValues(found.environment.settings, variables);
  }

  service(name: string): PlannedService {
    const { deploy, health } = this.#named('service', this.found.environment.services, name);
    return {
      name,
      deploy: { ...deploy, directory: this.#path(deploy.directory) },
      health: health.map((check) => this.check(check)),
      secretFiles: this.#secretFiles(),
    };
  }

  check(name: string): PlannedCheck {
    const spec = this.#checkSpec(this.#named('check', this.found.environment.checks, name));
    return { name, secretFiles: this.#secretFiles(), ...spec };
  }

  /**
   * The stores of this environment, files and directories. Each deploy and each check names them, so that the worker that shows
   * what it printed knows what must not be shown. One that depends on a setting that is missing here is on another host.
   */
  #secretFiles(): string[] {
    const files = [...this.found.environment.stores.values()].flatMap(({ value }) => {
      try {
        return [this.#path(this.settings.fill(pathOf(value)))];
      } catch (error) {
        if (error instanceof KeyturnError && error.code === 'setting-missing') return [];
        throw error;
      }
    });
    return [...new Set(files)];
  }

  monitors(names: readonly string[], overlap: boolean): PlannedMonitor[] {
    const named = names.map((name) => [name, this.#named('monitor', this.found.environment.monitors, name)] as const);
    return named
      .filter(([, monitor]) => overlap || !monitor.onlyWithOverlap)
      .map(([name, monitor]) => this.#monitor(name, monitor));
  }

  #monitor(name: string, monitor: MonitorSpec): PlannedMonitor {
    if (monitor.type === 'check') return { name, ...monitor, check: this.check(monitor.check) };
    const { measure } = monitor;
    return {
      name,
      ...monitor,
      measure: measure.type === 'sql' ? { ...measure, database: this.#database(measure.database) } : measure,
    };
  }

  revocation(): PlannedRevocation | null {
    const spec = this.found.secret.revokeSessions;
    if (!spec) return null;
    const { database, count, revoke } = this.settings.fillAll(spec);
    return { database: this.#database(database), count, revoke };
  }

  proof(): PlannedProof | null {
    if (!this.found.secret.proof) return null;
    const proof = this.settings.fillAll(this.found.secret.proof);
    if (proof.type === 'value') return proof;
    const flow = this.check(proof.login);
    if (flow.type !== 'http-flow')
      throw new KeyturnError('bad-inventory', `the check "${proof.login}" is not an http-flow`);
    return { ...proof, flow };
  }

  /** @throws KeyturnError `bad-inventory` where a node is not HOST:PORT. */
  server(name: string, database: string | null): PlannedServer {
    const { nodes } = this.#named('database', this.found.environment.databases, name);
    return {
      administrator: this.#database(name),
      database,
      replicas: Object.entries(nodes ?? {}).map(([node, place]) => nodeAt(node, place)),
    };
  }

  #checkSpec(check: CheckSpec): DistributiveOmit<PlannedCheck, 'name'> {
    switch (check.type) {
      case 'http':
        return check;
      case 'http-flow': {
        if (!check.inputs) return check;
        const inputs = Object.entries(check.inputs).map(([name, ref]) => [name, this.#credential(ref)]);
        return { ...check, inputs: Object.fromEntries(inputs) as Record<string, CredentialRef> };
      }
      case 'sql':
        return { ...check, database: this.#database(check.database) };
      case 'command':
        return { ...check, directory: this.#path(check.directory ?? '.') };
    }
  }

  #database(name: string): DatabaseRef {
    const { url, tls, passwords } = this.#named('database', this.found.environment.databases, name);
    return {
      ...this.#credential(url),
      ...(tls === undefined ? {} : { tls }),
      ...(passwords === undefined ? {} : { passwords }),
    };
  }

  #credential(ref: CredentialRef): CredentialRef {
    return 'file' in ref ? { file: this.#path(ref.file) } : ref;
  }

  /** Relative paths start from the inventory file. */
  #path(path: string): string {
    return resolve(dirname(this.found.system.file), path);
  }

  /** The loader has checked that it exists. */
  #named<T>(what: string, things: Named<T>, name: string): T {
    const thing = things.get(name);
    if (!thing) throw new KeyturnError('bad-inventory', `"${this.found.environment.name}" has no ${what} "${name}"`);
    return this.settings.fillAll(thing.value);
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
