/** Rules about one secret in one environment: strength, overlap, timing. */
import { milliseconds } from '../../domain/durations.js';
import type { SecretKind } from '../../domain/specs/secret.js';
import { strengthOf } from '../generator-strength.js';
import { generatorOf, type MergedEnvironment, type MergedSecret } from '../merge.js';
import type { Report } from './findings.js';

/** Kinds whose verifiers can accept two values at once. */
const OVERLAPPING: readonly SecretKind[] = ['session', 'signing', 'token'];

/** 128 bits: what RFC 8725 3.5 and NIST SP 800-131A ask of keys at the least. */
const FEWEST_BITS = 128;

export function checkSecrets(environment: MergedEnvironment, report: Report): void {
  for (const secret of environment.secrets.values()) {
    checkStrength(environment, secret, report);
    checkOverlap(secret, report);
    checkCadence(secret, report);
    const watch = milliseconds(secret.watch);
    for (const name of secret.monitors ?? []) {
      const monitor = environment.monitors.get(name)?.value;
      if (!monitor || milliseconds(monitor.every) <= watch) continue;
      const message = `monitors are watched for ${secret.watch}, and "${name}" is asked every ${monitor.every} only`;
      report(secret.placeOf('watch'), message, 'watch longer, or ask more often');
    }
  }
}

function checkStrength(environment: MergedEnvironment, secret: MergedSecret, report: Report): void {
  const generator = generatorOf(secret);
  const { shortest, bits } = strengthOf(generator, secret.name);
  const path = secret.placeOf('generator');
  const development = environment.tier === 'development';
  if (generator.startsWith('test:') && !development) {
    const message = `the generator ${generator} makes identifiable test values, for the tier development only`;
    report(path, message, 'hex:32, base64:32 or base64url:48');
  } else if (!development && bits < FEWEST_BITS) {
    report(
      path,
      `the generator ${generator} has ${bits} bits of randomness, fewer than ${FEWEST_BITS}`,
      'hex:32 has 256',
    );
  }
  if (shortest < secret.minimumLength) {
    const message = `the generator ${generator} makes ${shortest} characters, fewer than minimumLength ${secret.minimumLength}`;
    report(path, message, 'a larger count, or hex instead of base64');
  }
}

function checkOverlap(secret: MergedSecret, report: Report): void {
  const { overlap } = secret;
  if (!overlap) return;
  const path = secret.placeOf('overlap');
  if (!OVERLAPPING.includes(secret.kind)) {
    report(path, `a secret of kind ${secret.kind} has no overlap`, `kinds with one: ${OVERLAPPING.join(', ')}`);
  }
  if (secret.part) report(path, 'a part of a variable cannot hold two values', 'give the secret a variable of its own');
  if (overlap.style === 'previous' && overlap.variable === secret.key) {
    report(
      [...path, 'variable'],
      `"${overlap.variable}" is the variable of the new value too`,
      'name the second variable',
    );
  }
  const generator = generatorOf(secret);
  if (overlap.style === 'list' && strengthOf(generator, secret.name).mayContain(overlap.separator)) {
    const message = `values made by ${generator} can contain the separator ${JSON.stringify(overlap.separator)}`;
    report([...path, 'separator'], message, 'a generator whose values cannot: hex:32');
  }
  const [lifetime, skew] = [milliseconds(overlap.tokenLifetime), milliseconds(overlap.skew)];
  if (lifetime === 0) report([...path, 'tokenLifetime'], 'must be longer than nothing');
  else if (skew >= lifetime) {
    report(
      [...path, 'skew'],
      `the skew ${overlap.skew} is not shorter than the token lifetime ${overlap.tokenLifetime}`,
    );
  }
  if (secret.cadence !== null && milliseconds(secret.cadence) <= lifetime + skew) {
    const message = `the next rotation is due (${secret.cadence}) before the overlap of the last has ended`;
    report(secret.placeOf('cadence'), message, `longer than ${overlap.tokenLifetime} and ${overlap.skew} together`);
  }
}

function checkCadence(secret: MergedSecret, report: Report): void {
  const { cadence, latest } = secret;
  if (cadence !== null && milliseconds(cadence) < 60_000) {
    report(secret.placeOf('cadence'), `a cadence of ${cadence} is shorter than a rotation takes`, 'days: 90d');
  }
  if (latest === null) return;
  if (cadence === null)
    report(secret.placeOf('latest'), 'needs a cadence beside it', 'cadence: 180d with latest: 365d');
  else if (milliseconds(latest) < milliseconds(cadence)) {
    report(secret.placeOf('latest'), `${latest} is earlier than the cadence ${cadence}`);
  }
}
