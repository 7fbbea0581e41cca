/** Nothing was found: a typing error is the likeliest reason, and the inventory knows what was meant. */
import { KeyturnError } from '../domain/errors.js';
import type { SecretSelector } from '../domain/refs.js';
import { suggest } from '../inventory/suggest.js';
import type { Context } from './context.js';
import { openInventory, type OpenInventory } from './open-inventory.js';
import { readSettings } from './settings.js';

/** @throws KeyturnError `unknown-secret` with the nearest name; nothing where no inventory can be read. */
export async function assertKnownSecret(context: Context, selector: SecretSelector): Promise<void> {
  (await readable(context))?.expand(selector);
}

/** @throws KeyturnError `unknown-secret` with the nearest name; nothing where no inventory can be read. */
export async function assertKnownSystem(context: Context, name: string): Promise<void> {
  const inventory = await readable(context);
  const systems = new Set(inventory?.list().map(({ ref }) => ref.split('/')[0] ?? ''));
  if (systems.size === 0 || systems.has(name)) return;
  throw new KeyturnError('unknown-secret', `the inventory has no system "${name}"`, {
    hint: suggest(name, systems, 'it has'),
  });
}

async function readable(context: Context): Promise<OpenInventory | null> {
  try {
    return await openInventory(await readSettings(context));
  } catch (error) {
    if (error instanceof KeyturnError) return null;
    throw error;
  }
}
