/** Rotations of secrets that one service shares, many such systems at once. */
import type { WorkflowHandle } from '@temporalio/client';
import { askWhoIsUnderWay } from '../../../../src/activities/under-way.js';
import { rotationWorkflowId } from '../../../../src/domain/refs.js';
import type { Strategy } from '../../../../src/domain/specs/swap.js';
import { serviceLocks } from '../../../../src/service-locks.js';
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

  /** What a plan for one of the secrets would say, without the times. */
  async whoIsUnderWay({ name, inventory, web }: System, secret: Secret): Promise<string[]> {
    const ref = { system: name, environment: 'production', secret };
    const deploy = { type: 'command' as const, argv: web.argv('deploy'), directory: inventory, timeout: '30s' };
    const services = [{ name: 'web', deploy: { ...deploy, stop: web.argv('stop') }, health: [] }];
    const lines = await askWhoIsUnderWay({ ref, services }, { serviceLocks: serviceLocks(this.client) });
    return lines.map(({ question, answer }) => `${question}: ${answer.replace(/ since \S+:/, ':')}`).sort();
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
