/** What a worker that has just been started shows: it has met no value yet, and the programs it runs print them all. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { activityWrapper } from '../../src/activities/as-activity.js';
import { deployService } from '../../src/activities/services.js';
import { runChecks } from '../../src/activities/verification.js';
import type { ActivityDeps } from '../../src/activities/deps.js';
import type { PlannedService } from '../../src/domain/plan.js';
import { checkSpec, type PlannedCheck } from '../../src/domain/specs/check.js';
import { deploySpec } from '../../src/domain/specs/service.js';

const directory = mkdtempSync(join(tmpdir(), 'keyturn-unmet-'));
const file = join(directory, '.env');
const script = join(directory, 'leak.sh');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let values: Record<'current' | 'old' | 'pending' | 'neighbour', string>;

beforeEach(() => {
  const random = (): string => randomBytes(16).toString('hex');
  values = { current: random(), old: random(), pending: random(), neighbour: random() };
  writeFileSync(file, `SESSION_SECRET=${values.current}\nexport SMTP_PASS='${values.neighbour}'\n`);
  const entry = {
    key: 'SESSION_SECRET',
    exposure: { style: 'single' },
    rotation: 'r',
    stagedAt: 'now',
    old: values.old,
    new: values.pending,
    rest: [],
    original: { raw: values.old, value: values.old, piece: values.old },
    second: null,
  };
  writeFileSync(`${file}.keyturn`, JSON.stringify({ version: 1, entries: { SESSION_SECRET: entry } }));
  writeFileSync(script, `cat ${file} ${file}.keyturn\ncat ${file} >&2\necho last words ${values.current}`);
});

function check(text: string): PlannedCheck {
  const spec = checkSpec.parse({
    type: 'command',
    argv: ['sh', '-c', text],
    passes: 1,
    every: '50ms',
    within: '900ms',
  });
  return { name: 'leaky', secretFiles: [file], ...spec } as PlannedCheck;
}

function service(text: string, ...health: PlannedCheck[]): PlannedService {
  const deploy = deploySpec.parse({ type: 'command', argv: ['sh', '-c', text], directory });
  return { name: 'web', deploy, health, secretFiles: [file] };
}

/** Everything that leaves the activity: its result or failure, and what is logged. */
async function shownBy(body: Parameters<ReturnType<typeof activityWrapper>>[0], argument: unknown): Promise<string> {
  const shown: unknown[] = [];
  const asActivity = activityWrapper((...line) => void shown.push(line));
  const result: unknown = await new MockActivityEnvironment()
    .run(asActivity(body), argument)
    .catch((error: unknown) => {
      const { type, message, details, stack } = error as ApplicationFailure;
      return { type, message, details, stack };
    });
  return JSON.stringify([result, shown]);
}

function expectNoneIn(shown: string): void {
  for (const [name, value] of Object.entries(values)) expect(shown, name).not.toContain(value);
}

const deploying: Parameters<ReturnType<typeof activityWrapper>>[0] = (tools, planned) =>
  deployService(planned as PlannedService, [], { variables: {} }, tools);
const asking: Parameters<ReturnType<typeof activityWrapper>>[0] = ({ signal }, checks) =>
  runChecks(checks as PlannedCheck[], { variables: {} } as ActivityDeps, signal);

test.each([
  ['that fails', 'exit 1', 'true'],
  ['that succeeds while its service is not well', 'exit 0', 'exit 1'],
  ['that succeeds', 'exit 0', 'true'],
])('a deploy command %s shows no value of the plan’s files', async (_, end, health) => {
  const shown = await shownBy(deploying, service(`. ${script}; ${end}`, check(health)));
  expectNoneIn(shown);
});

test('a deploy command’s output is shown but for the values', async () => {
  const shown = await shownBy(deploying, service(`. ${script}; exit 1`));
  expect(shown).toContain('last words [secret]');
});

test.each(['exit 1', 'exit 0'])('a command check shows no value of the plan’s files: %s', async (end) => {
  expectNoneIn(await shownBy(asking, [check(`. ${script}; ${end}`)]));
});

test('a value that was written while the command ran is not shown either', async () => {
  values.current = randomBytes(16).toString('hex');
  const text = `echo SESSION_SECRET=${'$0'.length > 0 ? '$(cat new)' : ''} > .env; cat .env; exit 1`;
  writeFileSync(join(directory, 'new'), values.current);
  expectNoneIn(await shownBy(deploying, service(text)));
});

test('an HTTP answer that echoes the values is not shown', async () => {
  const server = createServer((_, response) => response.writeHead(500).end(JSON.stringify(values)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const spec = checkSpec.parse({
    type: 'http',
    url: `http://127.0.0.1:${port}/`,
    expect: { status: 200, contains: 'ok' },
    passes: 1,
    within: '300ms',
  });
  const shown = await shownBy(asking, [{ name: 'echo', secretFiles: [file], ...spec }]);
  server.close();
  expect(shown).toContain('500');
  expectNoneIn(shown);
});

test('the files of a directory of secrets are hidden like those of a dotenv file, behind a link too', async () => {
  const secrets = join(directory, 'secrets');
  mkdirSync(secrets);
  symlinkSync('secrets', join(directory, 'linked'));
  const kept = { current: randomBytes(16).toString('hex'), pending: randomBytes(16).toString('hex') };
  writeFileSync(join(secrets, 'secret_key'), kept.current);
  const entry = { key: 'secret_key', exposure: { style: 'single' }, old: kept.current, new: kept.pending, rest: [] };
  writeFileSync(`${secrets}.keyturn`, JSON.stringify({ version: 1, entries: { secret_key: entry } }));
  const leaky = check(`cat ${secrets}/secret_key ${secrets}.keyturn; exit 1`);
  const shown = await shownBy(asking, [{ ...leaky, secretFiles: [join(directory, 'linked')] }]);
  for (const [name, value] of Object.entries(kept)) expect(shown, name).not.toContain(value);
});
