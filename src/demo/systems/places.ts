/** Which environments of which systems run, and what each is called where one word must do: folders, databases, roles. */
import { KeyturnError } from '../../domain/errors.js';
import type { Blueprint, ExampleName } from './blueprints.js';
import { environmentsOf, SYSTEM_NAMES } from './blueprints.js';

/** A system, or one environment of it: `messaging/staging`. */
export type ExampleChoice = ExampleName | `${ExampleName}/${string}`;

export interface Place {
  readonly name: ExampleName;
  /** `mediavault`; of a system that runs in several environments `messaging-staging`. */
  readonly label: string;
  readonly blueprint: Blueprint;
}

/** @throws KeyturnError `no-such-system` for an environment that does not run here. */
export function placesOf(choices: readonly ExampleChoice[] = SYSTEM_NAMES): Place[] {
  return choices.flatMap((choice) => {
    const found = allPlaces().filter(({ name, blueprint }) =>
      [name, `${name}/${blueprint.environment}`].includes(choice),
    );
    if (found.length === 0) throw new KeyturnError('no-such-system', `there is no example system "${choice}" to run`);
    return found;
  });
}

function allPlaces(): Place[] {
  return SYSTEM_NAMES.flatMap((name) => {
    const environments = environmentsOf(name);
    return environments.map((blueprint) => ({
      name,
      label: environments.length === 1 ? name : `${name}-${blueprint.environment}`,
      blueprint,
    }));
  });
}
