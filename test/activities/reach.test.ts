import { expect, test } from 'vitest';
import { reachOf } from '../../src/activities/reach.js';
import type { Reach } from '../../src/deployers/deployer.js';
import type { PlannedService, RotationPlan } from '../../src/domain/plan.js';
import { SecretValue } from '../../src/domain/secret-value.js';

const service = (...services: string[]): PlannedService =>
  ({ name: 'shop', deploy: { type: 'compose', services }, health: [] }) as unknown as PlannedService;

async function said(reach: Reach, deployed: PlannedService, store: object = { type: 'dotenv', readers: ['compose'] }) {
  const plan = { services: [deployed], slot: { store, key: 'SECRET' } } as unknown as RotationPlan;
  const containers = { reach: () => Promise.resolve(reach) } as never;
  return await reachOf({ containers }, deployed, plan, new SecretValue('a-value'), new AbortController().signal);
}

test('a deployed service that Compose does not give the variable is told of by name', async () => {
  expect(await said({ replaced: [], left: [] }, service('web'))).toEqual({
    remarks: [],
    warnings: [
      'SECRET is given to none of web by Compose: unless shop reads the file itself, it does not run on this value',
    ],
  });
  const { warnings } = await said({ replaced: [], left: ['jobs'] }, service('web'));
  expect(warnings).toEqual([
    expect.stringContaining('SECRET is given to none of web by Compose'),
    'jobs is given the value too, and keeps the old one',
  ]);
});

test('one that is given it is not, nor one that reads the file itself', async () => {
  const nothing = { remarks: [], warnings: [] };
  expect(await said({ replaced: ['web'], left: [] }, service('web'))).toEqual(nothing);
  expect(await said({ replaced: ['web', 'db'], left: [] }, service('web'))).toEqual({
    remarks: ['the change replaces db too'],
    warnings: [],
  });
  for (const store of [{ type: 'docker-secrets' }, { type: 'dotenv', readers: ['python-dotenv'] }])
    expect(await said({ replaced: [], left: [] }, service('web'), store)).toEqual(nothing);
});
