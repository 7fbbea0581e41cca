/** docs/inventory.md: its files, written as they stand there, make a system that can be rotated. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import getPort from 'get-port';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { passConsecutively } from '../../src/checks/consecutive.js';
import { proveOldRefused } from '../../src/checks/proof.js';
import { openDeployer } from '../../src/deployers/open-deployer.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { checkSpec } from '../../src/domain/specs/check.js';
import { loadInventory } from '../../src/inventory/load.js';
import { resolvePlan } from '../../src/inventory/resolve.js';
import { contextWith } from '../checks/contexts.js';
import { afterwards } from '../support/afterwards.js';

const PAGE = await readFile('docs/inventory.md', 'utf8');

/** What stands after a comment in the page's source. */
function blocksAfter(comment: RegExp): { name: string; text: string }[] {
  const blocks = new RegExp(`<!-- ${comment.source} -->\\n+\`\`\`\\w+\\n([^]*?)\`\`\``, 'g');
  return [...PAGE.matchAll(blocks)].map(([, name = '', text = '']) => ({ name, text }));
}

test('the inventory of the page loads, its command deploys, its flow signs in, its proof proves', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'first-steps-'));
  const files = blocksAfter(/file: (\S+)/);
  expect(files.map(({ name }) => name)).toEqual([
    'systems/shop/app.mjs',
    'systems/shop/restart.sh',
    'systems/shop.yaml',
  ]);
  const port = String(await getPort());
  for (const { name, text } of files) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text.replaceAll('3999', port));
  }
  const shop = join(directory, 'systems/shop');
  afterwards(async () => {
    process.kill(Number(await readFile(join(shop, 'shop.pid'), 'utf8')));
    await rm(directory, { recursive: true });
  });
  const [old, current] = [randomBytes(32), randomBytes(32)].map((bytes) => new SecretValue(bytes.toString('hex')));
  const plan = resolvePlan(await loadInventory(join(directory, 'systems')), {
    ref: { system: 'shop', environment: 'production', secret: 'SESSION_SECRET' },
    ...{ operator: 'ana@example.test', reason: 'routine', requestId: 'request', note: null, variables: {} },
  });
  const context = contextWith({}, AbortSignal.timeout(60_000));
  const [web] = plan.services;
  for (const value of [old!, current!]) {
    await writeFile(join(shop, '.env'), `SESSION_SECRET=${value.reveal()}\n`);
    const deployer = openDeployer(web!.deploy, web!.name, { PATH: process.env['PATH'] });
    await deployer.preflight(context.signal);
    await deployer.deploy(context.signal);
    for (const check of [...web!.health, ...plan.verify]) {
      await passConsecutively({ ...check, passes: 1, every: '100ms' }, context);
    }
  }
  const evidence = await proveOldRefused(plan.proof!, { old: old!, current: current!, context });
  expect(evidence.facts).toMatchObject({ refused: 5, control: 200, random: 401 });
});

test('the flow of the page is one', () => {
  const [block] = blocksAfter(/(check)/);
  const flows = Object.values(parse(block!.text) as Record<string, unknown>);
  expect(flows.map((flow) => checkSpec.safeParse(flow).error)).toEqual([undefined]);
});
