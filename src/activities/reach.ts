/** What a change reaches beside its own variable and its own services: copies of the value, and services that Compose replaces too. */
import type { Deployer } from '../deployers/deployer.js';
import { namesOf, placeIn, samePlace } from '../domain/place.js';
import type { PlannedService, RotationPlan } from '../domain/plan.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { SecretSlot } from '../domain/slot.js';
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

export interface ReachInWords {
  readonly remarks: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * In its Compose project: the services that the deploy replaces besides those that it names (`up -d web` recreates a `db` that web
 * depends on and that is given the value too), those that are given it and stay as they are, and whether what is deployed is given it
 * at all: else a run would change a variable that nobody reads, and complete.
 */
export async function reachOf(
  { containers }: Pick<Deployer, 'containers'>,
  service: Pick<PlannedService, 'name' | 'deploy'>,
  plan: Pick<RotationPlan, 'services' | 'slot'>,
  value: SecretValue,
  signal: AbortSignal,
): Promise<ReachInWords> {
  const text = value.reveal();
  const reach = containers && (await containers.reach([text, encodeURIComponent(text)], signal));
  if (!reach) return { remarks: [], warnings: [] };
  const named = plan.services.flatMap((one) => composeServicesOf(one) ?? []);
  const left = reach.left.filter((other) => !named.includes(other));
  const also = reach.replaced.filter((other) => !named.includes(other));
  const deployed = composeServicesOf(service);
  const given = [...reach.replaced, ...reach.left].filter((other) => deployed?.includes(other) ?? true);
  const unread = given.length === 0 && isForCompose(plan.slot);
  const whom = deployed === undefined ? 'no service of its project' : `none of ${deployed.join(', ')}`;
  return {
    remarks: also.length > 0 ? [`the change replaces ${also.join(', ')}${named.length > 0 ? ' too' : ''}`] : [],
    warnings: [
      ...(unread
        ? [
            `${plan.slot.key} is given to ${whom} by Compose: unless ${service.name} reads the file itself, it does not run on this value`,
          ]
        : []),
      ...(left.length > 0 ? [`${left.join(', ')} is given the value too, and keeps the old one`] : []),
    ],
  };
}

/** undefined: all of the project. */
function composeServicesOf({ deploy }: Pick<PlannedService, 'deploy'>): readonly string[] | undefined {
  return deploy.type === 'compose' ? deploy.services : undefined;
}

/** Values of mounted files do not stand in what Compose resolves. */
function isForCompose({ store }: SecretSlot): boolean {
  return store.type === 'dotenv' && (store.readers?.some((reader) => reader === 'compose' || reader === 'raw') ?? true);
}
