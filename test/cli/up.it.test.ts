import { chmod } from 'node:fs/promises';
import { delimiter, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { writeShop } from './support/inventory.js';
import { installKeyturn, type Keyturn, type Running } from './support/keyturn.js';

const REF = 'shop/staging/SESSION_SECRET';

interface Said {
  readonly uiUrl: string;
  readonly temporalAddress: string;
  readonly systems: unknown[];
}

let keyturn: Keyturn;
let env: Record<string, string>;
beforeAll(async () => {
  keyturn = await installKeyturn();
  // Run as root, PostgreSQL is the account postgres, which must be able to enter the kept state's directory.
  await chmod(keyturn.directory, 0o755);
  await writeShop(keyturn, 'systems');
  env = { PATH: [dirname(inject('temporalCli')), process.env['PATH']].join(delimiter) };
}, 120_000);
afterAll(() => keyturn.remove());

test('everything comes up from nothing, other verbs find it from the same directory, and Ctrl-C ends it all', async () => {
  const first = await up();
  expect(first.said.systems).toEqual([]);
  expect((await fetch(first.said.uiUrl)).status).toBe(200);
  // No variable says where anything is: the session of this directory does.
  const rotated = await keyturn.run(['rotate', REF, '--operator', 'ana', '--wait']);
  expect(rotated.exitCode, rotated.all).toBe(0);
  expect(rotated.stdout).toContain(`in the UI: ${first.said.uiUrl}/namespaces/default/workflows/`);
  // A ledger of the shell's own does not hide the session, nor is it mixed with this Temporal; and it is said.
  const elsewhere = { KEYTURN_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
  const log = await keyturn.run(['log'], elsewhere);
  expect(log.stdout).toContain(`| ${REF} | ana |`);
  expect(log.stderr).toContain('KEYTURN_DATABASE_URL of your shell not used');
  expect((await keyturn.run(['status', REF], elsewhere)).stdout).toContain(`${REF}: completed`);
  await down(first.program);
  await expect(fetch(first.said.uiUrl)).rejects.toThrow();
  expect((await keyturn.run(['status'])).stderr).toContain('no address of a Temporal server is known');

  const second = await up();
  const { stdout } = await keyturn.run(['log']);
  expect(stdout).toContain(`| ${REF} | ana |`);
  expect((await keyturn.run(['status', REF])).stdout).toContain(`${REF}: completed`);
  await down(second.program);
}, 240_000);

async function up(): Promise<{ program: Running; said: Said }> {
  const program = keyturn.start(['up', '--json', '--state', 'state'], env);
  let out = '';
  program.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()));
  const deadline = Date.now() + 100_000;
  while (!out.endsWith('}\n') && Date.now() < deadline && program.exitCode === null) await sleep(50);
  if (!out.includes('"uiUrl"')) throw new Error(`up did not come up: ${(await stop(program)).all}`);
  return { program, said: JSON.parse(out) as Said };
}

async function down(program: Running): Promise<void> {
  const { exitCode, stderr } = await stop(program);
  // 128 + SIGINT, as shells have it.
  expect(exitCode, stderr).toBe(130);
  expect(stderr).toBe('starting Temporal and PostgreSQL');
}

function stop(program: Running): Running {
  program.kill('SIGINT');
  return program;
}
