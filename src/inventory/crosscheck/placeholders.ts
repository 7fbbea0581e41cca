/** Every `${…}` means something where it stands: a defined setting, or a value that exists by then at run time. */
import type { CheckSpec } from '../../domain/specs/check.js';
import type { ValueFormat } from '../../domain/specs/ciphertext.js';
import type { MergedEncryption, MergedEnvironment, MergedSecret } from '../merge.js';
import type { Path } from '../problems.js';
import { isRuntime, placeholdersOf } from '../settings.js';
import { suggest } from '../suggest.js';
import type { Report } from './findings.js';

export function checkPlaceholders(environment: MergedEnvironment, report: Report): void {
  const text = (data: unknown, path: Path, runtime: readonly string[] = []): void => {
    eachText(data, path, (value, place) => checkText(environment, value, place, runtime, report));
  };
  for (const [name, { value, path }] of environment.settings) {
    if (isRuntime(name)) report(path, `"${name}" is kept for values at run time`, 'choose another name');
    text(typeof value === 'object' ? value.default : value, path);
    if (usesItself(environment, name)) report(path, `the setting "${name}" uses itself`, 'break the circle');
  }
  if (environment.taskQueue !== null) text(environment.taskQueue, [...environment.path, 'taskQueue']);
  const { stores, databases, services, monitors, backups } = environment;
  for (const things of [stores, databases, services, monitors, backups]) {
    for (const { value, path } of things.values()) text(value, path);
  }
  for (const { value, path } of environment.checks.values()) checkCheck(value, path, text);
  for (const secret of environment.secrets.values()) checkSecret(environment, secret, text, report);
}

type Text = (data: unknown, path: Path, runtime?: readonly string[]) => void;

/** A step sees the inputs and what the steps before it captured. */
function checkCheck(check: CheckSpec, path: Path, text: Text): void {
  if (check.type !== 'http-flow') {
    text(check, path);
    return;
  }
  const known = inputsOf(check);
  text(check.inputs, [...path, 'inputs']);
  check.steps.forEach((step, index) => {
    const { expect, ...request } = step;
    text(request, [...path, 'steps', index], [...known]);
    // Only requests are filled in at run time; an expectation is compared as it is written.
    text(expect, [...path, 'steps', index, 'expect']);
    known.push(...capturesOf(step));
  });
}

/** A proof sees what it presents: the value, or what its login flow ends with; and it must present it. */
function checkSecret(environment: MergedEnvironment, secret: MergedSecret, text: Text, report: Report): void {
  text(secret.key, secret.placeOf('key'));
  if (secret.revokeSessions) text(secret.revokeSessions, secret.placeOf('revokeSessions'));
  if (secret.overlap) text(secret.overlap, secret.placeOf('overlap'));
  if (secret.encryption) checkFormats(secret.encryption, secret.placeOf('encryption'), text);
  const { proof } = secret;
  if (!proof) return;
  const flow = proof.type === 'value' ? undefined : environment.checks.get(proof.login)?.value;
  const fromFlow = flow?.type === 'http-flow' ? [...inputsOf(flow), ...flow.steps.flatMap(capturesOf)] : [];
  const path = secret.placeOf('proof');
  text(proof, path, proof.type === 'value' ? ['value'] : fromFlow);
  if (proof.type === 'signed-cookie') return;
  const carried = proof.type === 'jwt' ? `captured.${proof.capture}` : 'value';
  const { url, headers, json, form } = proof.request;
  const sent: string[] = [];
  eachText([url, headers, json, form], [], (value) => sent.push(value));
  const found = sent.flatMap(placeholdersOf).some((one) => one.kind === 'runtime' && one.name === carried);
  if (!found) report([...path, 'request'], `does not carry \${${carried}}: such a request proves nothing`);
}

/** A prefix can name the key, and what is authenticated besides can name columns of the row; nothing else is known there. */
function checkFormats({ format, columns, ...rest }: MergedEncryption, path: Path, text: Text): void {
  text(rest, path);
  const checkFormat = (value: ValueFormat | undefined, place: Path): void => {
    if (value?.cipher !== 'aes-256-gcm') return;
    text(value.prefix, [...place, 'prefix'], ['key.id']);
    const ofRow = placeholdersOf(value.associatedData ?? '').flatMap((one) =>
      one.kind === 'runtime' && one.name.startsWith('row.') ? [one.name] : [],
    );
    text(value.associatedData, [...place, 'associatedData'], ofRow);
  };
  checkFormat(format, [...path, 'format']);
  columns?.forEach(({ format: own, ...column }, index) => {
    text(column, [...path, 'columns', index]);
    checkFormat(own, [...path, 'columns', index, 'format']);
  });
}

type Flow = Extract<CheckSpec, { type: 'http-flow' }>;

function inputsOf(flow: Flow): string[] {
  return Object.keys(flow.inputs ?? {}).map((name) => `inputs.${name}`);
}

function capturesOf(step: Flow['steps'][number]): string[] {
  return Object.keys(step.capture ?? {}).map((name) => `captured.${name}`);
}

function checkText(
  environment: MergedEnvironment,
  value: string,
  path: Path,
  runtime: readonly string[],
  report: Report,
): void {
  for (const placeholder of placeholdersOf(value)) {
    if (placeholder.kind === 'malformed') {
      const hint =
        'write ${name}; a default stands with the setting: { env: NAME, default: TEXT }; a literal one is $${…}';
      report(path, 'a placeholder here is not of the form ${name}', hint);
    } else if (placeholder.kind === 'runtime') {
      if (runtime.includes(placeholder.name)) continue;
      const message = `\${${placeholder.name}} has no value here`;
      report(path, message, suggest(placeholder.name, runtime, 'available at run time here'));
    } else if (!environment.settings.has(placeholder.name)) {
      const names = [...environment.settings.keys(), ...runtime];
      report(path, `unknown setting "${placeholder.name}"`, suggest(placeholder.name, names, 'known here'));
    }
  }
}

function usesItself(environment: MergedEnvironment, name: string): boolean {
  const seen = new Set<string>();
  const next = [name];
  for (let current = next.pop(); current !== undefined; current = next.pop()) {
    const setting = environment.settings.get(current)?.value;
    const text = typeof setting === 'object' ? setting.default : setting;
    if (typeof text !== 'string') continue;
    for (const used of placeholdersOf(text)) {
      if (used.kind !== 'setting') continue;
      if (used.name === name) return true;
      if (!seen.has(used.name)) next.push(used.name);
      seen.add(used.name);
    }
  }
  return false;
}

function eachText(data: unknown, path: Path, visit: (text: string, path: Path) => void): void {
  if (typeof data === 'string') visit(data, path);
  if (typeof data !== 'object' || data === null) return;
  for (const [key, value] of Object.entries(data)) {
    eachText(value, [...path, Array.isArray(data) ? Number(key) : key], visit);
  }
}
