/** A system under test: its places, its inventory, and which of its steps are disturbed. */
import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { Strategy } from '../../../../src/domain/specs/swap.js';
import type { Databases } from '../../support/databases.js';
import type { Fault } from '../../support/faults.js';
import type { StagedSystem } from '../../support/real-stage.js';
import { openPlace, type Origin, type Place } from './place.js';

export interface Given {
  readonly strategy: Strategy;
  readonly origin?: Origin;
  readonly reason?: 'routine' | 'leak';
  /** In rollout order; default: production alone. */
  readonly environments?: readonly string[];
  readonly gates?: readonly string[];
  readonly delay?: string;
  readonly observe?: string;
  readonly watchEvery?: string;
}

export const SECRET = 'DATABASE_URL';

export class System implements StagedSystem {
  readonly secret = SECRET;
  readonly name = `shop${randomBytes(4).toString('hex')}`;
  /** `createRole 1`: activity and how often it was called, in order, without the awaited attempts. */
  readonly calls: string[] = [];
  readonly faults = new Map<string, Fault>();
  variables: Record<string, string> = {};

  private constructor(
    readonly given: Given,
    readonly places: ReadonlyMap<string, Place>,
    /** Its directory. */
    readonly inventory: string,
  ) {}

  static async open(given: Given, taskQueue: string, databases: Databases): Promise<System> {
    const inventory = await mkdtemp(join(tmpdir(), 'keyturn-swap-'));
    const places = new Map<string, Place>();
    for (const name of given.environments ?? ['production'])
      places.set(name, await openPlace(databases, join(inventory, name), given.origin ?? 'own rights'));
    const system = new System(given, places, inventory);
    system.variables = {
      KEYTURN_TASK_QUEUE: taskQueue,
      ...Object.fromEntries([...places].map(([name, { database }]) => [`ADMIN_${name}`, database.url])),
    };
    await system.describe();
    return system;
  }

  get reason(): string {
    return this.given.reason ?? 'routine';
  }

  get environments(): readonly string[] {
    return [...this.places.keys()];
  }

  /** Of the only environment, or of the last. */
  get place(): Place {
    return this.in([...this.places.keys()].at(-1) ?? '');
  }

  in(environment: string): Place {
    const place = this.places.get(environment);
    if (!place) throw new Error(`no environment ${environment}`);
    return place;
  }

  /** Writes the inventory. */
  async describe(): Promise<void> {
    // JSON is YAML too.
    await writeFile(join(this.inventory, 'system.yaml'), JSON.stringify(inventoryOf(this), null, 1));
  }

  async remove(): Promise<void> {
    for (const place of this.places.values()) await place.remove();
    await rm(this.inventory, { recursive: true });
  }
}

function inventoryOf({ name, given, places }: System): unknown {
  const { strategy, gates = [], delay = '2s', observe = '1s', watchEvery = '1s' } = given;
  const often = { passes: 1, every: '200ms', within: '20s', timeout: '10s' };
  return {
    system: name,
    environments: [...places].map(([environment, { application, mark, roles }]) => ({
      name: environment,
      tier: environment === 'production' ? 'production' : 'staging',
      // Relative: the random name of a temporary directory looks like a value, which has no place in an inventory.
      stores: { env: { type: 'dotenv', file: `${environment}/.env` } },
      databases: { app: { url: { env: `ADMIN_${environment}` } } },
      services: {
        shop: { deploy: { type: 'command', argv: application.deployArgv, timeout: '30s' }, health: ['health'] },
      },
      checks: {
        health: { type: 'http', url: `${application.url}/health`, expect: { status: 200 }, ...often },
        orders: {
          type: 'sql',
          database: 'app',
          query: `SELECT has_table_privilege('${roles.third}', 'app.own', 'SELECT')`,
          expect: { value: true },
          ...often,
        },
      },
      monitors: { healthy: { type: 'check', check: 'health', every: '500ms' } },
      secrets: { [SECRET]: { swap: { rolePrefix: `${mark}_new` } } },
    })),
    secrets: {
      [SECRET]: {
        kind: 'database',
        store: 'env',
        generator: 'hex:32',
        cadence: '90d',
        services: ['shop'],
        verify: ['orders'],
        monitors: ['healthy'],
        watch: '1s',
        approval: { gates },
        swap: {
          database: 'app',
          strategy,
          credential: { in: 'url' },
          delay,
          observe,
          watchEvery,
          probe: `INSERT INTO app.work (what) VALUES ('probe')`,
        },
      },
    },
  };
}
