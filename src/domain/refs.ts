/** How people and runs name a secret: `SYSTEM/ENV/SECRET`, or `SYSTEM/SECRET` for every environment in rollout order. */
import { KeyturnError } from './errors.js';

export interface SecretRef {
  readonly system: string;
  readonly environment: string;
  readonly secret: string;
}

/** A reference that may leave the environment open; `undefined` means all environments in rollout order. */
export interface SecretSelector {
  readonly system: string;
  readonly environment?: string | undefined;
  readonly secret: string;
}

/** Names of systems, environments and secrets: they go into workflow ids and search attributes, so no spaces or slashes. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** @throws KeyturnError `bad-reference` when the text is neither `SYSTEM/ENV/SECRET` nor `SYSTEM/SECRET`. */
export function parseSelector(text: string): SecretSelector {
  const parts = text.split('/');
  const [system, second, third] = parts;
  if (parts.some((part) => !NAME_PATTERN.test(part)) || !system || !second || parts.length > 3) {
    throw new KeyturnError('bad-reference', `"${text}" does not name a secret`, {
      hint: 'write SYSTEM/ENV/SECRET, or SYSTEM/SECRET for all its environments, e.g. mediavault/production/SESSION_SECRET',
    });
  }
  return third ? { system, environment: second, secret: third } : { system, secret: second };
}

export function formatRef(ref: SecretSelector): string {
  return [ref.system, ref.environment, ref.secret].filter((part) => part !== undefined).join('/');
}

/** The workflow id that is also the lock: Temporal runs at most one workflow under it. */
export function rotationWorkflowId(ref: SecretSelector): string {
  return `rotate:${formatRef(ref)}`;
}
