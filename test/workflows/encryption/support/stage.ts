/** Rotations of encryption keys over real rows, many systems at once. */
import { RealStage } from '../../support/real-stage.js';
import { System, type Given } from './system.js';

export class Stage extends RealStage<System> {
  /** To be closed when the file is done. */
  static async open(runbook = 'rotateEncryptionKey'): Promise<Stage> {
    return await new Stage(await RealStage.parts('key', true), runbook).work();
  }

  async system(given: Given): Promise<System> {
    return this.add(await System.open(given, this.taskQueue, this.databases));
  }
}
