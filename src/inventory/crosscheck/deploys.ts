/** That a deploy can bring a changed value into service: what Compose reads anew depends on its action and on the kind of store. */
import type { StoreSpec } from '../../domain/specs/store.js';
import type { ComposeDeploySpec } from '../../domain/specs/service.js';
import type { MergedEnvironment } from '../merge.js';
import type { Report } from './findings.js';

export function checkDeploys(environment: MergedEnvironment, report: Report): void {
  for (const secret of environment.secrets.values()) {
    const store = environment.stores.get(secret.store)?.value;
    if (!store) continue;
    for (const name of secret.services) {
      const service = environment.services.get(name);
      if (service?.value.deploy.type !== 'compose') continue;
      const fault = faultOf(store, service.value.deploy.action);
      if (fault === null) continue;
      const path = [...service.path, 'deploy', 'action'];
      report(path, `${fault.why}, so service ${name} would not get a new ${secret.key}`, fault.hint);
    }
  }
}

function faultOf(store: StoreSpec, action: ComposeDeploySpec['action']): { why: string; hint: string } | null {
  const mounted = isMounted(store);
  if (!mounted && action === 'restart') {
    const why = 'restart starts the same container again with the values that it was made with: no env file is read';
    return { why, hint: 'action: up, or recreate where it reads mounted files too' };
  }
  if (mounted && action === 'up') {
    const why = 'up leaves a container running whose mounted files have changed';
    return { why, hint: 'action: restart, or recreate where it has an env file too' };
  }
  return null;
}

/** An env file that Docker does not read is read in the container, by the application itself. */
function isMounted(store: StoreSpec): boolean {
  if (store.type === 'docker-secrets') return true;
  return store.readers !== undefined && !store.readers.some((reader) => reader === 'compose' || reader === 'raw');
}
