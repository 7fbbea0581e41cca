import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, expect, test } from 'vitest';
import { activityWrapper, type ActivityTools } from '../../src/activities/as-activity.js';
import { deployService } from '../../src/activities/services.js';
import { KeyturnError } from '../../src/domain/errors.js';
import type { PlannedService } from '../../src/domain/plan.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { checkSpec, type CommandCheckSpec } from '../../src/domain/specs/check.js';
import { deploySpec } from '../../src/domain/specs/service.js';

const directory = mkdtempSync(join(tmpdir(), 'keyturn-services-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const QUICK = { passes: 1, every: '50ms', within: '300ms' };

function service(script: string, ...health: string[]): PlannedService {
  return {
    name: 'web',
    deploy: deploySpec.parse({ type: 'command', argv: ['sh', '-c', script], directory }),
    health: health.map((text, n) => ({
      ...(checkSpec.parse({ type: 'command', argv: ['sh', '-c', text], ...QUICK }) as CommandCheckSpec),
      name: `health ${n + 1}`,
    })),
  };
}

function tools(more: Partial<ActivityTools> = {}): ActivityTools & { readonly states: unknown[] } {
  const states: unknown[] = [];
  return {
    signal: new AbortController().signal,
    saved: undefined,
    workflowId: 'rotate:shop/production/SECRET',
    sinceFirstAttempt: 0,
    save: (state) => void states.push(state),
    states,
    ...more,
  };
}

async function failure(what: Promise<unknown>): Promise<KeyturnError> {
  const error: unknown = await what.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(KeyturnError);
  return error as KeyturnError;
}

test('deployed and healthy is one piece of evidence; the deploy is saved in between', async () => {
  const own = tools();
  const { summary } = await deployService(service('echo deployed', 'true', 'true'), [], { variables: {} }, own);
  expect(summary).toMatch(
    /^web: sh -c echo deployed ended with 0 in .*; health 1 passed once .*; health 2 passed once /,
  );
  expect(own.states).toEqual([{ deployed: expect.stringContaining('ended with 0') as string, before: [] }]);
});

test('an attempt that takes over asks for health and does not deploy again', async () => {
  const again = service(`echo once more > ${join(directory, 'again')}`, 'true');
  const { summary } = await deployService(
    again,
    [],
    { variables: {} },
    tools({ saved: { deployed: 'as it was', before: [] } }),
  );
  expect(summary).toMatch(/^as it was; health 1 passed/);
  expect(() => readFileSync(join(directory, 'again'))).toThrow();
});

test('a deploy that fails says why in one line, and everything it said in the diagnosis', async () => {
  const error = await failure(
    deployService(service('for n in 1 2 3; do echo line $n; done; exit 7', 'true'), [], { variables: {} }, tools()),
  );
  expect(error).toMatchObject({ code: 'deploy-failed', effect: 'unknown', retryable: true });
  expect(error.hint).toBeDefined();
  expect(error.message).toMatch(/^web: .* exited with 7: line 3$/);
  expect(error.diagnosis).toMatch(/^web is deployed by .*; it last said:\nline 1\nline 2\nline 3$/s);
});

test('a service that is not healthy shows what its deploy command had said, without the values in it', async () => {
  const secret = new SecretValue('planted-by-the-deploy-90210');
  const said = service(`echo "restarted with ${secret.reveal()}"; echo waiting for port`, 'true', 'echo 503; exit 1');
  const error = await failure(deployService(said, [], { variables: {} }, tools()));
  expect(error).toMatchObject({ code: 'check-failed', effect: 'applied', retryable: false });
  expect(error.message).toMatch(/^web is not healthy: health 2 did not pass within 300ms: .*: 503$/);
  expect(error.message).not.toContain('\n');
  expect(error.diagnosis).toMatch(/it last said:\nrestarted with \[secret\]\nwaiting for port$/);
});

test('when the run is cancelled the reason of that comes back, and nobody asks for a diagnosis', async () => {
  const controller = new AbortController();
  const reason = new Error('cancelled');
  const deploying = deployService(service('sleep 30'), [], { variables: {} }, tools({ signal: controller.signal }));
  deploying.catch(() => undefined);
  controller.abort(reason);
  await expect(deploying).rejects.toBe(reason);
});

test('what reaches Temporal is a message of one line, and the diagnosis in the details', async () => {
  const logged: { message: string; fields: Record<string, unknown> | undefined }[] = [];
  const asActivity = activityWrapper((_, message, fields) => void logged.push({ message, fields }));
  const activity = asActivity((own, planned: PlannedService) => deployService(planned, [], { variables: {} }, own));
  const run = new MockActivityEnvironment().run(activity, service('echo up', 'exit 1'));
  const thrown = (await run.catch((reason: unknown) => reason)) as ApplicationFailure;
  expect(thrown).toMatchObject({ type: 'check-failed', nonRetryable: true });
  expect(thrown.message).toMatch(/^web is not healthy: .*$/);
  const diagnosis = expect.stringMatching(/it last said:\nup$/) as string;
  expect(thrown.details).toEqual([{ effect: 'applied', hint: expect.any(String) as string, diagnosis }]);
  expect(logged).toEqual([{ message: thrown.message, fields: expect.objectContaining({ diagnosis }) as object }]);
});
