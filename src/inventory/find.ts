/** From a name to the thing, or to an error that says what is near. */
import { KeyturnError } from '../domain/errors.js';
import { formatRef, type SecretRef, type SecretSelector } from '../domain/refs.js';
import type { Inventory, InventorySystem } from './inventory.js';
import { mergeEnvironments, type MergedEnvironment, type MergedSecret } from './merge.js';
import { suggest } from './suggest.js';

export interface FoundSecret {
  readonly system: InventorySystem;
  readonly environment: MergedEnvironment;
  readonly secret: MergedSecret;
}

/** @throws KeyturnError `unknown-secret` with the nearest name. */
export function findSecret(inventory: Inventory, ref: SecretRef): FoundSecret {
  const [found] = findSecrets(inventory, ref);
  // findSecrets throws when there is none.
  if (!found) throw new KeyturnError('unknown-secret', `the inventory has no ${formatRef(ref)}`);
  return found;
}

/** Every environment that has the secret, in rollout order. @throws KeyturnError `unknown-secret` when none has. */
export function findSecrets(inventory: Inventory, selector: SecretSelector): FoundSecret[] {
  const system = inventory.systems.find(({ spec }) => spec.system === selector.system);
  if (!system) {
    const names = inventory.systems.map(({ spec }) => spec.system);
    throw unknown(`no system "${selector.system}"`, suggest(selector.system, names, 'there are'));
  }
  const { spec } = system;
  if (!Object.hasOwn(spec.secrets, selector.secret)) {
    const hint = suggest(selector.secret, Object.keys(spec.secrets), 'it has');
    throw unknown(`the system "${spec.system}" has no secret "${selector.secret}"`, hint);
  }
  const all = mergeEnvironments(spec);
  const meant = all.filter(({ name }) => selector.environment === undefined || name === selector.environment);
  if (meant.length === 0) {
    const hint = suggest(
      selector.environment ?? '',
      all.map(({ name }) => name),
      'it has',
    );
    throw unknown(`the system "${spec.system}" has no environment "${selector.environment ?? ''}"`, hint);
  }
  const found = meant.flatMap((environment): FoundSecret[] => {
    const secret = environment.secrets.get(selector.secret);
    return secret ? [{ system, environment, secret }] : [];
  });
  if (found.length > 0) return found;
  const having = all.filter(({ secrets }) => secrets.has(selector.secret)).map(({ name }) => name);
  const where = selector.environment === undefined ? 'any environment' : `the environment "${selector.environment}"`;
  throw unknown(
    `"${selector.secret}" does not exist in ${where} of "${spec.system}"`,
    having.length > 0 ? `it exists in: ${having.join(', ')}` : 'its environments all say `false`',
  );
}

function unknown(message: string, hint: string): KeyturnError {
  return new KeyturnError('unknown-secret', message, { hint });
}
