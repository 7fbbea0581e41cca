/** In a directory of secrets a key is the name of a file. */
import type { MergedEnvironment } from '../merge.js';
import type { Report } from './findings.js';
import { namesOf } from './places.js';

/** What Docker takes for a secret's name, but for its length: the file may be mounted under the same one. */
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

export function checkFileNames(environment: MergedEnvironment, report: Report): void {
  for (const secret of environment.secrets.values()) {
    if (environment.stores.get(secret.store)?.value.type !== 'docker-secrets') continue;
    for (const { name, path } of namesOf(secret)) {
      // A setting's value is known on the worker only; there the store looks.
      if (name.includes('${') || FILE_NAME.test(name)) continue;
      const message = `"${name}" is not the name of a file in a directory of secrets`;
      report(path, message, 'letters, digits, "_", "-" and ".": secret_key');
    }
  }
}
