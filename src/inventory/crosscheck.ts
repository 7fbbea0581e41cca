/** What one value cannot say about itself: names, places, times and policies that must fit together. */
import { checkBackups, Destinations } from './crosscheck/backups.js';
import { checkChecks } from './crosscheck/checks.js';
import { checkDatabases } from './crosscheck/databases.js';
import { checkDeploys } from './crosscheck/deploys.js';
import { checkEncryption } from './crosscheck/encryption.js';
import { checkFileNames } from './crosscheck/file-names.js';
import { Findings, type Finding, type Report } from './crosscheck/findings.js';
import { checkPlaceholders } from './crosscheck/placeholders.js';
import { Places } from './crosscheck/places.js';
import { checkProofs } from './crosscheck/proofs.js';
import { checkPolicies } from './crosscheck/policy.js';
import { checkReferences } from './crosscheck/references.js';
import { checkSecrets } from './crosscheck/secrets.js';
import { checkSwaps } from './crosscheck/swap.js';
import type { InventorySystem } from './inventory.js';
import { mergeEnvironments } from './merge.js';
import type { System } from './schema.js';
import { suggest } from './suggest.js';

export interface SystemFinding extends Finding {
  readonly system: InventorySystem;
}

/** @param systems in the order in which they claim names and places: the second of two is told about the first. */
export function crosscheck(systems: readonly InventorySystem[]): SystemFinding[] {
  const places = new Places();
  const destinations = new Destinations(systems);
  const firstOf = new Map<string, InventorySystem>();
  return systems.flatMap((system) => {
    const twin = firstOf.get(system.spec.system);
    if (twin) {
      const message = `the system "${system.spec.system}" is described in ${twin.shownAs} already`;
      return [{ system, path: ['system'], message, hint: 'one system a file, one file a system' }];
    }
    firstOf.set(system.spec.system, system);
    return crosscheckSystem(system, places, destinations).map((finding) => ({ ...finding, system }));
  });
}

function crosscheckSystem(system: InventorySystem, places: Places, destinations: Destinations): Finding[] {
  const { spec } = system;
  const findings = new Findings(spec.environments.map(({ name }) => name));
  checkEnvironments(spec, findings.report);
  checkPolicies(spec, findings.report);
  const merged = mergeEnvironments(spec);
  for (const environment of merged) {
    const report = findings.in(environment.name);
    checkReferences(environment, report);
    checkSecrets(environment, report);
    checkDatabases(environment, report);
    checkDeploys(environment, report);
    checkProofs(environment, report);
    checkFileNames(environment, report);
    checkSwaps(environment, report);
    checkEncryption(environment, report);
    checkBackups(environment, Object.keys(spec.secrets), report);
    checkChecks(environment, report);
    checkPlaceholders(environment, report);
  }
  const shared = merged.flatMap((environment) => [
    ...places.claim(system, environment),
    ...destinations.claim(system, environment),
  ]);
  // What shares a place in one environment mostly does in all: told once.
  const once = new Map(shared.toReversed().map((finding) => [JSON.stringify(finding.path), finding]));
  return [...findings.list(), ...once.values()];
}

function checkEnvironments(system: System, report: Report): void {
  const names = system.environments.map(({ name }) => name);
  const secrets = Object.keys(system.secrets);
  system.environments.forEach((environment, index) => {
    if (names.indexOf(environment.name) !== index) {
      report(['environments', index, 'name'], `there is another environment "${environment.name}" above`);
    }
    for (const secret of Object.keys(environment.secrets ?? {})) {
      if (secrets.includes(secret)) continue;
      const message = `unknown secret "${secret}"`;
      report(['environments', index, 'secrets', secret], message, suggest(secret, secrets, 'this system has'));
    }
  });
}
