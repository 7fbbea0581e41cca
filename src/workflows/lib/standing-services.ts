/** The services of a plan while they stand still, as document 004 asks: stopped together, and started again whatever happens. */
import type { Evidence } from '../../domain/evidence.js';
import type { RotationPlan } from '../../domain/plan.js';
import { persistentEffects, type effects } from './activities.js';
import { deployAll } from './rollout.js';

export class StandingServices {
  private standing = false;

  constructor(private readonly plan: RotationPlan) {}

  /** Those that use others first: in the reverse of the order in which they are deployed. */
  async stop(call: typeof effects): Promise<Evidence> {
    const { services, taskQueue } = this.plan;
    // Before the first is asked: one whose answer was lost may have stopped.
    this.standing = true;
    const said: string[] = [];
    for (const service of [...services].reverse()) {
      const { summary } = await call(`Stop ${service.name}`, taskQueue).stopService(service);
      said.push(summary);
    }
    return { summary: said.join('; ') };
  }

  /** Somebody else has started them. */
  run(): void {
    this.standing = false;
  }

  /** Undo of `stop`. */
  async start(): Promise<Evidence> {
    if (!this.standing) return { summary: 'they run already' };
    const evidence = await deployAll(this.plan, persistentEffects);
    this.standing = false;
    return evidence;
  }
}
