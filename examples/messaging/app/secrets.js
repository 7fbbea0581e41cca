/** Secrets that may be two at a time: `X` signs or is handed out, `X_PREVIOUS` is still accepted while a rotation overlaps. */
import { assertStrong, ConfigurationError, required } from '../../lib/environment.js';

/** @typedef {{ current: string, accepted: readonly string[] }} SecretPair */

/** @param {NodeJS.ProcessEnv} env @param {string} name @returns {SecretPair} */
export function readPair(env, name) {
  const current = required(env, name);
  assertStrong(name, current, env);
  const previous = env[`${name}_PREVIOUS`];
  if (!previous) return { current, accepted: [current] };
  assertStrong(`${name}_PREVIOUS`, previous, env);
  return { current, accepted: [current, previous] };
}

/**
 * One secret for two purposes would make each as weak as the other's worst day.
 * @param {Readonly<Record<string, SecretPair>>} pairs
 */
export function assertApart(pairs) {
  const owners = new Map();
  for (const [name, { accepted }] of Object.entries(pairs)) {
    for (const value of accepted) {
      const owner = owners.get(value) ?? name;
      if (owner !== name) throw new ConfigurationError(`${name} and ${owner} share a value`);
      owners.set(value, name);
    }
  }
}
