/** The command line may read another inventory than the worker, so whatever is wrong with this one is said with whose it is. */
import { KeyturnError } from '../domain/errors.js';
import type { Inventory } from '../inventory/inventory.js';
import type { ActivityDeps } from './deps.js';

/** Names that another inventory may have. */
const UNKNOWN = ['unknown-secret', 'unknown-backup'];

/** @throws what `use` throws, with who says so. */
export async function fromInventory<T>(
  { loadInventory, worker }: Pick<ActivityDeps, 'loadInventory' | 'worker'>,
  use: (inventory: Inventory) => T,
): Promise<T> {
  try {
    return use(await loadInventory());
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    const { code, message, hint, retryable } = error;
    const elsewhere = UNKNOWN.includes(code)
      ? [`if it stands in another inventory, start the worker with that one (--inventory or KEYTURN_INVENTORY)`]
      : [];
    throw new KeyturnError(code, `${message} (says the worker ${worker})`, {
      hint: [...(hint === undefined ? [] : [hint]), ...elsewhere].join('; '),
      retryable,
      cause: error,
    });
  }
}
