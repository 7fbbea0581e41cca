/** What an inventory gives up on the way to a database must not add up. */
import type { MergedEnvironment } from '../merge.js';
import type { Report } from './findings.js';

export function checkDatabases(environment: MergedEnvironment, report: Report): void {
  for (const { value, path } of environment.databases.values()) {
    if (value.passwords !== 'plaintext' || value.tls === undefined) continue;
    const whom = value.tls === 'off' ? 'anybody on the way' : 'whoever answers in its place';
    report(
      [...path, 'passwords'],
      `passwords in clear could be read by ${whom} (tls: ${value.tls})`,
      'take tls out (sslrootcert=FILE in the URL names a CA of your own), or passwords',
    );
  }
}
