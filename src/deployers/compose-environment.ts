/** What Compose sees of the worker's environment: enough to run, and nothing that could stand in for a deployed value. */
import { onlyThese } from '../processes/environment.js';

/** How the docker CLI finds its engine, its plugins and its sign-ins. */
const DOCKER = [
  'PATH',
  'HOME',
  'DOCKER_HOST',
  'DOCKER_CONFIG',
  'DOCKER_CONTEXT',
  'DOCKER_TLS_VERIFY',
  'DOCKER_CERT_PATH',
  'DOCKER_API_VERSION',
  'XDG_CONFIG_HOME',
  'XDG_RUNTIME_DIR',
  'SSH_AUTH_SOCK',
];

/**
 * Compose lets a variable of its own environment win over the same name in the env file, so a SESSION_SECRET exported in the
 * worker's shell would be deployed instead of the new one. PWD is what a person in that directory would have.
 */
export function composeEnvironment(directory: string, worker: NodeJS.ProcessEnv): Record<string, string> {
  return { ...onlyThese(DOCKER, worker), PWD: directory };
}
