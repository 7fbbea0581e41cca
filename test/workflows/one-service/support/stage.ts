/** Rotations of secrets that one service shares, many such systems at once. */
import type { WorkflowHandle } from '@temporalio/client';
import { rotationWorkflowId } from '../../../../src/domain/refs.js';
import type { Strategy } from '../../../../src/domain/specs/swap.js';
import { ANA, RealStage } from '../../support/real-stage.js';
import { SECRETS, System, type Secret } from './system.js';

export class Stage extends RealStage<System> {
  /** To be closed when the file is done. */
  static async open(): Promise<Stage> {
    return await new Stage(await RealStage.parts('web', false), SECRETS.KEY.runbook).work();
  }

  async system(strategy: Strategy): Promise<System> {
    return this.add(await System.open(strategy, this.taskQueue, this.databases));
  }

  async rotate({ name }: System, secret: Secret): Promise<WorkflowHandle> {
    const ref = { system: name, environment: 'production', secret };
    return await this.client.workflow.start(SECRETS[secret].runbook, {
      workflowId: rotationWorkflowId(ref),
      taskQueue: this.taskQueue,
      args: [{ ...ref, operator: ANA, reason: 'routine' }],
    });
  }
}
