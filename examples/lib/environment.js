/** Where an application's configuration comes from: a dotenv file named by ENV_FILE, else the plain environment. */
import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';

/** A setting that keeps the application from starting. Its message names the variable, never the value. */
export class ConfigurationError extends Error {
  name = 'ConfigurationError';
}

/**
 * What the file says wins over what was inherited: a shell that still exports last month's secret must not undo a rotation.
 * Without ENV_FILE nothing is added (Compose injects the file itself).
 * @returns {Record<string, string>}
 */
export function readEnvFile() {
  const file = process.env.ENV_FILE;
  if (!file) return {};
  try {
    return parse(readFileSync(file));
  } catch (error) {
    throw new ConfigurationError(`ENV_FILE cannot be read: ${/** @type {NodeJS.ErrnoException} */ (error).code}`);
  }
}

/** @param {NodeJS.ProcessEnv} env @param {string} name */
export function required(env, name) {
  const value = env[name];
  if (!value) throw new ConfigurationError(`${name} is not set`);
  return value;
}

/** @param {NodeJS.ProcessEnv} env @param {string} name @param {number} fallback a whole number, not negative */
export function wholeNumber(env, name, fallback) {
  const text = env[name] ?? String(fallback);
  if (!/^\d{1,9}$/.test(text)) throw new ConfigurationError(`${name} must be a whole number`);
  return Number(text);
}

const PLACEHOLDER =
  /change.?me|replace.?(me|this|with)|placeholder|your[-_ ]|example|^<.*>$|^(secret|password|todo|xxx)/i;
const TEST_VALUE = /^test[-_]/i;

/**
 * Strength rules of the written runbooks: at least 32 characters, no placeholder; identifiable test values only where
 * APP_ENV says development.
 * @param {string} name @param {string} value @param {NodeJS.ProcessEnv} env
 */
export function assertStrong(name, value, env) {
  if (value.length < 32)
    throw new ConfigurationError(`${name} must have at least 32 characters, it has ${value.length}`);
  if (PLACEHOLDER.test(value) || new Set(value).size < 6) throw new ConfigurationError(`${name} is a placeholder`);
  if (TEST_VALUE.test(value) && env.APP_ENV !== 'development') {
    throw new ConfigurationError(`${name} is a test value; those are for APP_ENV=development`);
  }
}
