/** The inventory as verbs need it: loaded once, its errors with file and line. */
import { dirname, relative, resolve } from 'node:path';
import { KeyturnError } from '../domain/errors.js';
import { pathOf } from '../domain/place.js';
import type { RotationPlan } from '../domain/plan.js';
import { formatRef, type SecretRef, type SecretSelector } from '../domain/refs.js';
import type { SecretKind } from '../domain/specs/secret.js';
import { findSecret } from '../inventory/find.js';
import type { InventorySystem } from '../inventory/inventory.js';
import { loadInventory } from '../inventory/load.js';
import { mergeEnvironments } from '../inventory/merge.js';
import { expandSelector, resolvePlan } from '../inventory/resolve.js';
import { SettingValues } from '../inventory/settings.js';
import type { Settings } from './settings.js';

export interface ListedSecret {
  readonly ref: string;
  readonly kind: SecretKind;
  readonly tier: string;
  /** Type of the store, its address in the inventory's words, and the variable, or the file of a directory. */
  readonly place: string;
  readonly cadence: string | null;
  /** The longest that policy tolerates; null: the cadence. */
  readonly latest: string | null;
}

export interface OpenInventory {
  readonly source: string;
  /** In rollout order. @throws KeyturnError `unknown-secret`. */
  expand(selector: SecretSelector): SecretRef[];
  kindOf(ref: SecretRef): SecretKind;
  /** @throws KeyturnError `setting-missing`. */
  plan(ref: SecretRef, request: Pick<RotationPlan, 'operator' | 'reason'>): RotationPlan;
  /** Every secret in every environment, in the order of the files. */
  list(): ListedSecret[];
}

/** @throws KeyturnError `no-inventory`, `bad-inventory`. */
export async function openInventory(settings: Pick<Settings, 'inventory' | 'variables'>): Promise<OpenInventory> {
  const inventory = await loadInventory(settings.inventory());
  return {
    source: inventory.source,
    expand: (selector) => expandSelector(inventory, selector),
    kindOf: (ref) => findSecret(inventory, ref).secret.kind,
    plan: (ref, { operator, reason }) =>
      resolvePlan(inventory, {
        ref,
        operator,
        reason,
        note: null,
        // No run has this id, so what another run left in the store is recognised as another's.
        // Where a new role's name ends with the run's mark: nobody knows it yet.
        requestId: 'plan-xxxxxx',
        variables: settings.variables,
      }),
    list: () => inventory.systems.flatMap((system) => listSystem(system, settings.variables)),
  };
}

function listSystem({ spec, file }: InventorySystem, variables: Settings['variables']): ListedSecret[] {
  return mergeEnvironments(spec).flatMap((environment) => {
    const values = new SettingValues(environment.settings, variables);
    return [...environment.secrets.values()].map((secret) => {
      const store = environment.stores.get(secret.store)?.value;
      return {
        ref: formatRef({ system: spec.system, environment: environment.name, secret: secret.name }),
        kind: secret.kind,
        tier: environment.tier,
        place: store
          ? `${store.type}:${shownPath(pathOf(store), file, values)}#${secret.key}`
          : `${secret.store}#${secret.key}`,
        cadence: secret.cadence,
        latest: secret.latest,
      };
    });
  });
}

/** As a person in this directory would type it. A setting that only another host's worker has stays a placeholder. */
function shownPath(stored: string, inventoryFile: string, values: SettingValues): string {
  try {
    const file = resolve(dirname(inventoryFile), values.fill(stored));
    const near = relative(process.cwd(), file);
    return near.startsWith('..') ? file : near;
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return stored;
  }
}
