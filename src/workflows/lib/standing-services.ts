/** The services of a plan while they stand still, as document 004 asks: stopped together, and started again whatever happens. */
import type { Evidence } from '../../domain/evidence.js';
import type { PlannedService } from '../../domain/plan.js';
import { effects, persistentEffects } from './activities.js';
import { deployAll } from './rollout.js';
import type { Run } from './run.js';
import type { Going } from './service-lock.js';

export class StandingServices {
  private standing = false;

  constructor(
    private readonly run: Run,
    private readonly services: readonly PlannedService[] = run.plan.services,
  ) {}

  /** Those that use others first: in the reverse of the order in which they are deployed. */
  async stop(going: Going): Promise<Evidence> {
    const { run, services } = this;
    const call = going === 'forward' ? effects : persistentEffects;
    await run.services.hold('stop', going);
    // Before the first is asked: one whose answer was lost may have stopped.
    this.standing = true;
    const said: string[] = [];
    for (const service of [...services].reverse()) {
      if (going === 'forward') run.services.stillHeld();
      const { summary } = await call(`Stop ${service.name}`, run.plan.taskQueue).stopService(service);
      said.push(summary);
    }
    return { summary: said.join('; ') };
  }

  /** Somebody else has started them. */
  runAgain(): void {
    this.standing = false;
  }

  /** Undo of `stop`. */
  async start(): Promise<Evidence> {
    if (!this.standing) return { summary: 'they run already' };
    await this.run.services.hold('stop', 'back');
    const evidence = await deployAll(this.run, 'back', { services: this.services });
    this.standing = false;
    return evidence;
  }
}
