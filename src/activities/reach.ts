/** What a change reaches beside its own variable and its own services: copies of the value, and services that Compose replaces too. */
import type { Deployer } from '../deployers/deployer.js';
import { namesOf, placeIn, samePlace } from '../domain/place.js';
import type { RotationPlan } from '../domain/plan.js';
import type { SecretValue } from '../domain/secret-value.js';
import { realPlace } from '../inventory/crosscheck/places.js';
import { secretPlacesIn } from '../processes/hidden-files.js';
import { copiesOf } from '../stores/copies.js';

/** In all files of the environment's stores. A copy stays as it is, so whoever reads it has the old value. */
export async function askAboutCopies(plan: RotationPlan, value: SecretValue): Promise<string | { warning: string }> {
  const own = namesOf(plan.slot).map((name) => placeIn(plan.slot.store, name));
  const places = [...new Set(secretPlacesIn(plan).map(realPlace))];
  const copies = (await copiesOf(value, places)).filter(
    (spot) => !own.some((place) => samePlace(spot, { ...place, file: realPlace(place.file) })),
  );
  if (copies.length === 0) return 'stands nowhere else in the stores of this environment';
  const names = copies.map(({ file, variable }) => (variable === null ? file : `${variable} in ${file}`)).join(', ');
  return {
    warning: `the same credential stands in ${names}, which this run does not change: let it take it over by a reference, or change it in the same deploy`,
  };
}

/**
 * In its Compose project: the services that the deploy replaces besides those that it names (`up -d web` recreates a `db` that web
 * depends on and that is given the value too), and those that are given it and stay as they are.
 */
export async function reachOf(
  { containers }: Deployer,
  plan: RotationPlan,
  value: SecretValue,
  signal: AbortSignal,
): Promise<string[]> {
  if (!containers) return [];
  const text = value.reveal();
  const reach = await containers.reach([text, encodeURIComponent(text)], signal);
  if (!reach) return [];
  const named = plan.services.flatMap(({ deploy }) => (deploy.type === 'compose' ? (deploy.services ?? []) : []));
  const left = reach.left.filter((service) => !named.includes(service));
  const also = reach.replaced.filter((service) => !named.includes(service));
  return [
    ...(also.length > 0 ? [`the change replaces ${also.join(', ')}${named.length > 0 ? ' too' : ''}`] : []),
    ...(left.length > 0 ? [`WARNING: ${left.join(', ')} is given the value too, and keeps the old one`] : []),
  ];
}
