import type { DeploySpec } from '../domain/specs/service.js';
import { CommandDeployer } from './command.js';
import { ComposeDeployer } from './compose.js';
import type { Deployer } from './deployer.js';

/**
 * @param serviceName as in the inventory, for messages.
 * @param worker variables of this process, from which a tool sees only the few that it needs.
 */
export function openDeployer(spec: DeploySpec, serviceName: string, worker: NodeJS.ProcessEnv = process.env): Deployer {
  switch (spec.type) {
    case 'compose':
      return new ComposeDeployer(spec, serviceName, worker);
    case 'command':
      return new CommandDeployer(spec, serviceName, worker);
  }
}
