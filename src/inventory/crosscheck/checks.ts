/** Checks and monitors that can be asked: times that fit together, patterns that compile, addresses that are addresses. */
import { formatMilliseconds, milliseconds } from '../../domain/durations.js';
import { LONGEST_STEP } from '../../domain/step-limit.js';
import type { CheckSpec, MonitorSpec } from '../../domain/specs/check.js';
import type { MergedEnvironment } from '../merge.js';
import type { Path } from '../problems.js';
import { replaceSettings } from '../settings.js';
import type { Report } from './findings.js';

export function checkChecks(environment: MergedEnvironment, report: Report): void {
  for (const { value, path } of environment.checks.values()) checkCheck(value, path, report);
  for (const { value, path } of environment.monitors.values()) checkMonitor(value, path, report);
  for (const { value, path } of environment.services.values()) {
    positive(value.deploy.timeout, [...path, 'deploy', 'timeout'], report);
    const asking = longest(value.health, environment);
    if (milliseconds(value.deploy.timeout) + asking > milliseconds(LONGEST_STEP)) {
      const message = `a deploy of up to ${value.deploy.timeout} and up to ${formatMilliseconds(asking)} of health checks take too long`;
      report(
        [...path, 'deploy', 'timeout'],
        message,
        `together at most ${LONGEST_STEP}: a longer step would be cut off`,
      );
    }
  }
  for (const secret of environment.secrets.values()) {
    const asking = longest(secret.verify ?? [], environment);
    if (asking <= milliseconds(LONGEST_STEP)) continue;
    const message = `these checks may take up to ${formatMilliseconds(asking)}`;
    report(secret.placeOf('verify'), message, `together at most ${LONGEST_STEP}: a longer step would be cut off`);
  }
  // A setting that is a plain value here can be seen through; one that a worker provides cannot.
  const address = (url: string, path: Path): void => {
    const filled = replaceSettings(url, (name) => {
      const setting = environment.settings.get(name)?.value;
      return typeof setting === 'object' ? setting.default : setting?.toString();
    });
    if (filled.includes('${') || (/^https?:\/\//i.test(filled) && URL.canParse(filled))) return;
    report(path, 'this is not an http:// or https:// address');
  };
  for (const { value, path } of environment.checks.values()) {
    if (value.type === 'http') address(value.url, [...path, 'url']);
    if (value.type !== 'http-flow') continue;
    value.origins?.forEach((origin, index) => address(origin, [...path, 'origins', index]));
    value.steps.forEach((step, index) => address(step.url, [...path, 'steps', index, 'url']));
  }
  for (const { value, path } of environment.monitors.values()) {
    if (value.type === 'counter' && value.measure.type === 'http')
      address(value.measure.url, [...path, 'measure', 'url']);
  }
  for (const secret of environment.secrets.values()) {
    if (secret.proof) address(secret.proof.request.url, [...secret.placeOf('proof'), 'request', 'url']);
  }
}

/** Milliseconds, one after the other. */
function longest(names: readonly string[], { checks }: MergedEnvironment): number {
  const within = names.map((name) => checks.get(name)?.value.within ?? '0s');
  return within.reduce((total, time) => total + milliseconds(time), 0);
}

function checkCheck(check: CheckSpec, path: Path, report: Report): void {
  positive(check.every, [...path, 'every'], report);
  positive(check.within, [...path, 'within'], report);
  if (milliseconds(check.every) * (check.passes - 1) > milliseconds(check.within)) {
    const message = `${check.passes} passes, one every ${check.every}, do not fit within ${check.within}`;
    report([...path, 'within'], message, 'a longer "within", fewer passes, or a shorter "every"');
  }
  if (check.type === 'http-flow') {
    check.steps.forEach((step, index) => positive(step.timeout, [...path, 'steps', index, 'timeout'], report));
  } else {
    positive(check.timeout, [...path, 'timeout'], report);
  }
  checkPatterns(check, path, report);
}

function checkMonitor(monitor: MonitorSpec, path: Path, report: Report): void {
  positive(monitor.every, [...path, 'every'], report);
  if (monitor.type === 'counter') positive(monitor.measure.timeout, [...path, 'measure', 'timeout'], report);
}

function positive(duration: string, path: Path, report: Report): void {
  if (milliseconds(duration) === 0) report(path, 'must be longer than nothing');
}

/** Every `matches` below an `expect`. */
function checkPatterns(data: unknown, path: Path, report: Report): void {
  if (typeof data !== 'object' || data === null) return;
  for (const [key, value] of Object.entries(data)) {
    const place = [...path, Array.isArray(data) ? Number(key) : key];
    const isPattern = key === 'matches' && path.includes('expect') && typeof value === 'string';
    if (isPattern && !compiles(value)) report(place, 'this is not a regular expression');
    checkPatterns(value, place, report);
  }
}

function compiles(pattern: string): boolean {
  try {
    new RegExp(pattern, 'u');
    return true;
  } catch {
    return false;
  }
}
