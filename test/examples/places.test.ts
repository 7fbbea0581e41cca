import { expect, it } from 'vitest';
import { placesOf, type ExampleChoice } from '../../src/demo/systems/places.js';

const labels = (choices?: readonly ExampleChoice[]): string[] => placesOf(choices).map(({ label }) => label);

it('everything runs unless something is chosen, environments in rollout order', () => {
  expect(labels()).toEqual(['mediavault', 'mgmt-vibe', 'hms', 'messaging-staging', 'messaging-production', 'arena']);
});

it('a system stands for all its environments, and one of them can be chosen alone', () => {
  expect(labels(['messaging'])).toEqual(['messaging-staging', 'messaging-production']);
  expect(labels(['messaging/production', 'hms'])).toEqual(['messaging-production', 'hms']);
  expect(labels(['mgmt-vibe/staging'])).toEqual(['mgmt-vibe']);
});

it('no two environments share the prefix of their variables', () => {
  const prefixes = placesOf().map(({ blueprint }) => blueprint.prefix);
  expect(new Set(prefixes).size).toBe(prefixes.length);
});

it('an environment that does not run here is refused by name', () => {
  expect(() => placesOf(['mgmt-vibe/production'])).toThrow('there is no example system "mgmt-vibe/production" to run');
});
