/**
 * `backUpSecrets`: encrypted archives of secrets, each proven by a restore before it counts. Source: document 004, "Backup
 * Procedure". runbooks/backup/steps.ts has these steps. It changes no secret.
 */
import { workflowInfo } from '@temporalio/workflow';
import { backupWorkflowId } from '../domain/backup.js';
import { parseBackupInput, type BackupInput } from '../domain/messages.js';
import type { RotationReport } from '../domain/report.js';
import type { RolloutReport } from '../domain/status.js';
import { effects } from './lib/activities.js';
import { BackupRun } from './lib/backup-run.js';
import { backUpEach } from './lib/backup-runs.js';
import { asApplicationFailure } from './lib/failures.js';
import { refuseForeignLock } from './lib/foreign-lock.js';
import { Gatekeeper } from './lib/gatekeeper.js';

export async function backUpSecrets(input: unknown): Promise<RotationReport | RolloutReport> {
  // It asks nobody: a decision that is sent to it is answered that no gate is open.
  const gates = new Gatekeeper();
  gates.register();
  const request = parse(input);
  refuseForeignLock(backupWorkflowId(request));
  const { environment, backup } = request;
  const { workflowId, originalExecutionRunId: requestId } = workflowInfo();
  // Temporal holds the lock, as with rotations: what runs under another id starts the one with this id, and waits.
  if (environment === undefined || backup === undefined || workflowId !== backupWorkflowId(request))
    return await backUpEach(request);

  const at = new Date(Date.now()).toISOString();
  const plan = await effects('Read the inventory and pin the plan').resolveBackup({
    ...request,
    environment,
    backup,
    requestId,
    at,
  });
  const { taskQueue } = plan;
  const run = new BackupRun(plan, gates);

  return await run.carryOut(async () => {
    await run.step('check', () => effects('Check that everything is ready', taskQueue).checkBackup(plan));
    run.begins();
    await run.step('make', () => effects('Make the archive', taskQueue).makeArchive(plan));
    await run.step('prove', () => effects('Prove the restore', taskQueue).proveArchive(plan));
    run.counts();
    if (plan.qr) await run.step('print', () => effects('Draw printable codes', taskQueue).printArchive(plan));
  });
}

function parse(input: unknown): BackupInput {
  try {
    return parseBackupInput(input);
  } catch (error) {
    throw asApplicationFailure(error);
  }
}
