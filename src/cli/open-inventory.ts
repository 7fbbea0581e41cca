/** The inventory as verbs need it: loaded once, its errors with file and line. */
import { dirname, relative, resolve } from 'node:path';
import { KeyturnError } from '../domain/errors.js';
import { pathOf } from '../domain/place.js';
import type { RotationPlan } from '../domain/plan.js';
import { NO_RUN } from '../domain/preview.js';
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
  /** Of their environments, each once, as far as they are known here. */
  queuesOf(refs: readonly SecretRef[]): string[];
  /** Every secret in every environment, in the order of the files. */
  list(): ListedSecret[];
}

/** @throws KeyturnError `no-inventory`, `bad-inventory`. */
export async function openInventory(settings: Pick<Settings, 'inventory' | 'variables'>): Promise<OpenInventory> {
  const inventory = await loadInventory(settings.inventory());
  const made = (ref: SecretRef, { operator, reason }: Pick<RotationPlan, 'operator' | 'reason'>): RotationPlan =>
    resolvePlan(inventory, { ref, operator, reason, note: null, requestId: NO_RUN, variables: settings.variables });
  return {
    source: inventory.source,
    expand: (selector) => saidHere(inventory.source, () => expandSelector(inventory, selector)),
    kindOf: (ref) => findSecret(inventory, ref).secret.kind,
    plan: made,
    queuesOf: (refs) => {
      const queues = refs.map((ref) => {
        try {
          return made(ref, { operator: 'nobody', reason: 'routine' }).taskQueue;
        } catch (error) {
          // Settings of another host are not known here: its worker makes the plan.
          if (error instanceof KeyturnError) return [];
          throw error;
        }
      });
      return [...new Set(queues.flat())];
    },
    list: () => inventory.systems.flatMap((system) => listSystem(system, settings.variables)),
  };
}

/** The worker may read another inventory, so it is said which one does not know the name. */
export function saidHere<T>(source: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof KeyturnError) || !['unknown-secret', 'unknown-backup'].includes(error.code)) throw error;
    const elsewhere = 'or name another inventory: --inventory DIR or KEYTURN_INVENTORY';
    throw new KeyturnError(error.code, `${error.message}, says this command's inventory, ${source}`, {
      hint: error.hint === undefined ? elsewhere : `${error.hint}; ${elsewhere}`,
      cause: error,
    });
  }
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
