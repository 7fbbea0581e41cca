/** Which thing a service's deployer deploys, whatever inventories call it: two that name the same thing share its lock. */
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, resolve } from 'node:path';
import type { DeploySpec } from '../domain/specs/service.js';

/** Ids may be longer, but people read them. */
const LONGEST_PATH = 160;

/**
 * By the host and the real path of a Compose project, or of a command's directory with the command. A container has a host name of
 * its own: workers in containers that deploy on one machine need the same `hostname`.
 */
export async function deployedThing(spec: DeploySpec): Promise<string> {
  const directory = resolve(spec.directory);
  const path = shortened(await realpath(directory).catch(() => directory));
  switch (spec.type) {
    case 'compose':
      return `${hostname()}:${path}`;
    case 'command':
      return `${hostname()}:${path}:${basename(spec.argv[0] ?? '')}-${digest(JSON.stringify(spec.argv))}`;
  }
}

function shortened(path: string): string {
  return path.length > LONGEST_PATH ? `…${path.slice(-LONGEST_PATH)}-${digest(path)}` : path;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
