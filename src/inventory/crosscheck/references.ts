/** Every name refers to something that exists in the environment. */
import type { MergedEnvironment, MergedSecret } from '../merge.js';
import type { Path } from '../problems.js';
import { suggest } from '../suggest.js';
import type { Report } from './findings.js';

export function checkReferences(environment: MergedEnvironment, report: Report): void {
  const { stores, databases, services, checks, monitors } = environment;
  const known = (what: string, name: string, things: ReadonlyMap<string, unknown>, path: Path): boolean => {
    if (things.has(name)) return true;
    report(path, `unknown ${what} "${name}"`, suggest(name, things.keys(), 'this environment has'));
    return false;
  };
  const eachKnown = (
    what: string,
    names: readonly string[],
    things: ReadonlyMap<string, unknown>,
    path: Path,
  ): void => {
    names.forEach((name, index) => {
      known(what, name, things, [...path, index]);
      if (names.indexOf(name) !== index) report([...path, index], `${what} "${name}" is named twice`);
    });
  };

  for (const { value: service, path } of services.values()) {
    eachKnown('check', service.health, checks, [...path, 'health']);
  }
  for (const { value: check, path } of checks.values()) {
    if (check.type === 'sql') known('database', check.database, databases, [...path, 'database']);
  }
  for (const { value: monitor, path } of monitors.values()) {
    if (monitor.type === 'check') known('check', monitor.check, checks, [...path, 'check']);
    else if (monitor.measure.type === 'sql') {
      known('database', monitor.measure.database, databases, [...path, 'measure', 'database']);
    }
  }
  for (const secret of environment.secrets.values()) {
    known('store', secret.store, stores, secret.placeOf('store'));
    eachKnown('service', secret.services, services, secret.placeOf('services'));
    eachKnown('check', secret.verify ?? [], checks, secret.placeOf('verify'));
    eachKnown('monitor', secret.monitors ?? [], monitors, secret.placeOf('monitors'));
    const revoke = secret.revokeSessions;
    if (revoke) known('database', revoke.database, databases, [...secret.placeOf('revokeSessions'), 'database']);
    checkLogin(environment, secret, report);
  }
}

/** A forged cookie or token starts from a real one, so the proof's login flow has to bring one. */
function checkLogin(environment: MergedEnvironment, secret: MergedSecret, report: Report): void {
  const { proof } = secret;
  if (!proof || proof.type === 'value') return;
  const path = secret.placeOf('proof');
  const flow = environment.checks.get(proof.login)?.value;
  if (!flow) {
    const flows = [...environment.checks].filter(([, { value }]) => value.type === 'http-flow').map(([name]) => name);
    report([...path, 'login'], `unknown check "${proof.login}"`, suggest(proof.login, flows, 'flows here'));
    return;
  }
  if (flow.type !== 'http-flow') {
    report([...path, 'login'], `the check "${proof.login}" is of type ${flow.type}: a proof logs in with an http-flow`);
    return;
  }
  if (proof.type !== 'jwt') return;
  const captured = flow.steps.flatMap((step) => Object.keys(step.capture ?? {}));
  if (captured.includes(proof.capture)) return;
  const hint = suggest(proof.capture, captured, 'it captures');
  report([...path, 'capture'], `the flow "${proof.login}" does not capture "${proof.capture}"`, hint);
}
