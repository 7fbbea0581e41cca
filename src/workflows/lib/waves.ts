/**
 * One credential through several environments in waves (document 003: staging, then production, then the delay). Each
 * environment is a run of its own under its own lock. The leader starts the next once the one before is well on its new role;
 * when all are well, it tells them to begin their delay. If one does not get there, those before it go back too (follower.ts).
 */
import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { refusalLines } from '../../domain/checklist.js';
import type { RotateInput } from '../../domain/messages.js';
import { formatRef, rotationWorkflowId, type SecretRef } from '../../domain/refs.js';
import type { RotationReport } from '../../domain/report.js';
import type { RolloutReport } from '../../domain/status.js';
import { MOST_NONCES, parseWell } from '../../domain/wave-messages.js';
import { effects } from './activities.js';
import type { Gatekeeper } from './gatekeeper.js';
import { ignoreGone, passOn } from './pass-on.js';
import { holdsUpNobody, rolloutDetails, startInEnvironment } from './rollout-runs.js';
import { verdictSignal, wellSignal, type Word } from './wave-signals.js';

interface Wave {
  readonly ref: SecretRef;
  readonly ended: Promise<RotationReport>;
  /** What its run has said with its "well"; empty: it is not well yet. */
  nonces: readonly string[];
  report: RotationReport | null;
  failure: unknown;
}

export async function leadThroughWaves(request: RotateInput, gates: Gatekeeper): Promise<RolloutReport> {
  return await new Leader(request, gates).lead();
}

class Leader {
  private refs: readonly SecretRef[] = [];
  private readonly waves: Wave[] = [];
  private verdict: Word | null = null;

  constructor(
    private readonly request: RotateInput,
    private readonly gates: Gatekeeper,
  ) {
    setHandler(wellSignal, (input: unknown) => this.takeWell(input), {
      description: 'From an environment that is well on its new role, not for people',
    });
    passOn(() => this.waves.filter((wave) => !hasEnded(wave)).map(({ ref }) => ref));
    gates.onChange(() => this.show());
  }

  async lead(): Promise<RolloutReport> {
    const { request, waves } = this;
    this.refs = await effects('Find the environments').expandRequest(request);
    try {
      await this.throughAll();
    } catch (error) {
      // Cancelled, and so are those that run. A leader that ends before they have heard of it would leave them to go on by themselves.
      await CancellationScope.nonCancellable(() => allEnded(waves));
      throw error;
    }
    // Each to its own end, also when another fails: none is left alone half-way.
    await allEnded(waves);
    this.show();
    const failed = waves.find(({ failure }) => failure !== undefined);
    if (failed) throw failed.failure;
    return { ref: formatRef(request), reports: waves.flatMap(({ report }) => (report ? [report] : [])) };
  }

  /** One after the other until all are well or one has fallen; then they are told. */
  private async throughAll(): Promise<void> {
    const { refs, waves } = this;
    for (const ref of refs) {
      const wave = this.begin(ref);
      this.show();
      await condition(() => isWell(wave) || hasEnded(wave) || this.fallen() !== undefined);
      this.show();
      // A no in one environment is a no to all: those that are well go back, and the rest is not begun.
      if (this.fallen()) break;
    }
    const fallen = this.fallen();
    const last = refs.at(-1);
    const verdict = fallen
      ? { goOn: false, why: `${formatRef(fallen.ref)} did not get there` }
      : { goOn: true, why: `${last ? formatRef(last) : 'the last'} is well: the delay begins` };
    // From here on whoever says that it is well has its answer at once: one that is not there yet, or was not reached.
    this.verdict = verdict;
    for (const wave of waves) if (isWell(wave)) await tell(wave, verdict);
  }

  private fallen(): Wave | undefined {
    return this.waves.find((wave) => hasFallen(wave) && !holdsUpNobody(this.request, wave.failure));
  }

  /** Never throws: that would fail the run, or stall it. */
  private async takeWell(input: unknown): Promise<void> {
    const well = parseWell(input);
    if (!well) {
      this.gates.refuse('waveWell refused: it is none; it comes from the run of an environment, not from people');
      return;
    }
    const wave = this.waves.find(({ ref }) => formatRef(ref) === well.ref);
    if (!wave || hasEnded(wave)) {
      this.gates.refuse('waveWell refused: it names no environment in which a run goes on that this one has begun');
      return;
    }
    wave.nonces = [...wave.nonces.filter((nonce) => nonce !== well.nonce), well.nonce].slice(-MOST_NONCES);
    const { verdict } = this;
    if (verdict) await CancellationScope.nonCancellable(() => tell(wave, verdict));
  }

  private begin(ref: SecretRef): Wave {
    const ended = startInEnvironment(this.request, ref, 'leads');
    const wave: Wave = { ref, nonces: [], report: null, failure: undefined, ended };
    this.waves.push(wave);
    ended.then(
      (report) => {
        wave.report = report;
        this.show();
      },
      (error: unknown) => {
        wave.failure = error;
        this.show();
      },
    );
    return wave;
  }

  private show(): void {
    const stateOf = (ref: SecretRef): string => {
      const wave = this.waves.find((one) => one.ref === ref);
      if (wave?.report) return wave.report.outcome;
      if (wave?.failure !== undefined) return 'did not complete';
      if (!wave) return 'to come';
      return isWell(wave) ? 'well on its new credential' : 'under way (its own run says what it waits for)';
    };
    const details = rolloutDetails(this.request, this.refs, stateOf);
    setCurrentDetails([details, ...refusalLines(this.gates.refusals)].join('\n'));
  }
}

/** Its run; one that has ended meanwhile needs no word. */
async function tell(wave: Wave, word: Word): Promise<void> {
  if (hasEnded(wave)) return;
  const { ref, nonces } = wave;
  await getExternalWorkflowHandle(rotationWorkflowId(ref))
    .signal(verdictSignal, { ...word, nonces: [...nonces] })
    .catch(ignoreGone);
}

async function allEnded(waves: readonly Wave[]): Promise<void> {
  await Promise.all(waves.map(({ ended }) => ended.catch(() => undefined)));
}

function isWell({ nonces }: Wave): boolean {
  return nonces.length > 0;
}

function hasEnded({ report, failure }: Wave): boolean {
  return report !== null || failure !== undefined;
}

/** Also one that had been well: somebody turned it back while it waited for the others. */
function hasFallen(wave: Wave): boolean {
  return hasEnded(wave) && wave.report?.outcome !== 'completed';
}
