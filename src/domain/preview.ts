/** What `keyturn plan` asks of the workers that would carry a run out, and what comes back. */
import { code, inline } from './markdown.js';
import type { RotationPlan } from './plan.js';
import { formatRef, type SecretSelector } from './refs.js';

/**
 * In place of a run's id. No run has it, so what another run left in the store is recognised as another's; and where a new role's name
 * ends with the run's mark, nobody knows it yet.
 */
export const NO_RUN = 'plan-xxxxxx';

export interface ReadinessLine {
  readonly question: string;
  /** A warning does not stop the run. */
  readonly state: 'ok' | 'warning' | 'problem';
  readonly answer: string;
}

/** Of one environment. */
export interface Preview {
  readonly plan: RotationPlan;
  /** Who answered; null: nobody, and the only line says why. */
  readonly worker: string | null;
  readonly lines: readonly ReadinessLine[];
}

/** Not the secret's lock, and another one each time: many may look at once, also while a run is under way. */
export function previewWorkflowId(selector: SecretSelector, mark: string): string {
  return `plan:${formatRef(selector)}:${mark}`;
}

const MARKS = { ok: '✓', warning: '!', problem: '✗' } as const;

/** Markdown, for the workflow's page in the UI. */
export function previewDetails(previews: readonly Preview[]): string {
  return previews
    .flatMap(({ plan, worker, lines }) => [
      `## What a run of ${code(formatRef(plan.ref))} would find: nothing was changed`,
      '',
      `Plan ${plan.digest}, ${plan.method}, from ${code(plan.inventoryFile)}, asked of ${worker === null ? '**nobody**' : code(worker)}.`,
      '',
      ...lines.map(({ question, state, answer }) => `- ${MARKS[state]} ${inline(question)}: ${inline(answer, 600)}`),
      '',
    ])
    .join('\n');
}
