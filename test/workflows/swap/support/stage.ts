/** Swaps on real roles, many systems at once. */
import { RealStage } from '../../support/real-stage.js';
import { System, type Given } from './system.js';

export { ANA, BEN, PATIENCE_MS } from '../../support/real-stage.js';

export class Stage extends RealStage<System> {
  /** To be closed when the file is done. */
  static async open(): Promise<Stage> {
    return await new Stage(await RealStage.parts('swap', false), 'swapDatabaseCredential').work();
  }

  async system(given: Given): Promise<System> {
    return this.add(await System.open(given, this.taskQueue, this.databases));
  }
}
