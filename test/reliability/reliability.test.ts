/** The page that says which test holds what, and that each of them is there. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FAILURES } from './failures.js';
import { reliabilityPage } from './page.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** In which suite a file runs is its own affair. */
const SUFFIXES = ['.test.ts', '.it.test.ts', '.deep.test.ts', '.it.deep.test.ts', '.deep.it.test.ts'];

test('docs/reliability.md is up to date', async () => {
  await expect(reliabilityPage()).toMatchFileSnapshot(`${root}docs/reliability.md`);
});

test('each test that is named there is there, under that title', () => {
  const missing = Object.values(FAILURES)
    .flat()
    .flatMap(({ tests }) => tests)
    .filter((name) => {
      const [file = '', title = ''] = name.split(' › ');
      const path = SUFFIXES.map((suffix) => `${root}test/${file}${suffix}`).find((one) => existsSync(one));
      return path === undefined || !readFileSync(path, 'utf8').includes(title);
    });
  expect(missing).toEqual([]);
});

test('what nothing holds says why', () => {
  const silent = Object.values(FAILURES)
    .flat()
    .filter(({ tests, why }) => (tests.length === 0) !== (why !== undefined));
  expect(silent).toEqual([]);
});
