/** A key that is in a backup and nowhere else, and a recovery that is offered the archive. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { RECOVER_WORKFLOW_TYPE } from '../../../../src/domain/messages.js';
import { ANA } from '../../support/real-stage.js';
import { freshKey } from './fernet.js';
import type { Stage } from './stage.js';
import type { System } from './system.js';

export async function backUp({ client, taskQueue }: Stage, { name }: System): Promise<void> {
  await client.workflow.execute('backUpSecrets', {
    taskQueue,
    workflowId: `backup:${name}/production/key`,
    args: [{ system: name, environment: 'production', backup: 'key', operator: ANA }],
  });
}

/** Somebody has put another key in its place: no row reads any more. */
export async function replaceKey({ envFile, oldKey }: System): Promise<void> {
  const env = await readFile(envFile, 'utf8');
  await writeFile(envFile, env.replace(oldKey, freshKey()));
}

/** The inventory does not know of them any more, only that archives may lie there. @returns the archive. */
export async function forgetBackups({ inventory }: System): Promise<string> {
  const safe = join(inventory, 'safe');
  const [archive = ''] = (await readdir(safe)).filter((name) => name.endsWith('.age'));
  const file = join(inventory, 'system.yaml');
  const known = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  const secrets = known['secrets'] as Record<string, { encryption: Record<string, unknown> }>;
  for (const { encryption } of Object.values(secrets)) {
    encryption['recovery'] = { ...(encryption['recovery'] as object | undefined), folders: ['safe'] };
  }
  await writeFile(file, JSON.stringify({ ...known, secrets, backups: {} }));
  return join(safe, archive);
}

export async function startOffered(stage: Stage, system: System, offered: object): Promise<WorkflowHandle> {
  const input = { system: system.name, environment: 'production', secret: system.secret, operator: ANA };
  return await stage.client.workflow.start(RECOVER_WORKFLOW_TYPE, {
    workflowId: stage.workflowId(system, 'production'),
    taskQueue: stage.taskQueue,
    args: [{ ...input, ...offered }],
  });
}
