/** What the answers of Compose and its engine mean. Pure. */
import { z } from 'zod';

export interface Container {
  readonly id: string;
  /** Of the Compose project. */
  readonly service: string;
  /** `running`, `exited`, `restarting`, `created` … */
  readonly state: string;
  /** `healthy`, `unhealthy`, `starting`, or empty without a health check. */
  readonly health: string;
  readonly exitCode: number;
  /** By the engine's clock, to the nanosecond. */
  readonly startedAt: string;
  /** By the engine itself, since it was made or last started by hand. */
  readonly restarts: number;
}

const inspectedSchema = z.object({
  id: z.string(),
  service: z.string(),
  state: z.object({
    Status: z.string(),
    ExitCode: z.int(),
    StartedAt: z.string(),
    Health: z.object({ Status: z.string() }).nullish(),
  }),
  restarts: z.int(),
});

/** One JSON object a line, as compose-containers.ts asks for it. Lines that are none are left out. */
export function parseContainers(output: string): Container[] {
  return output.split('\n').flatMap((line) => {
    const { data } = inspectedSchema.safeParse(parse(line));
    if (!data) return [];
    const { id, service, state, restarts } = data;
    const health = state.Health?.Status ?? '';
    return [
      { id, service, state: state.Status, health, exitCode: state.ExitCode, startedAt: state.StartedAt, restarts },
    ];
  });
}

export function isFailing(container: Container): boolean {
  // A one-off (a migration) is well when it has ended with 0.
  if (container.state === 'exited') return container.exitCode !== 0;
  return container.state !== 'running' || container.health === 'unhealthy';
}

export function describeState({ service, state, health, exitCode }: Container): string {
  const detail = state === 'exited' ? ` (${exitCode})` : health ? ` (${health})` : '';
  return `${service}: ${state}${detail}`;
}

/** `The "FOO" variable is not set. Defaulting to a blank string.` A warning of Compose's, worth knowing and no error. */
export function unsetVariables(output: string): string[] {
  const names = [...output.matchAll(/The \\?"([^"\\]+)\\?" variable is not set/g)].map(([, name]) => name ?? '');
  return [...new Set(names)];
}

/** How many containers came to each end, from progress lines such as ` Container shop-web-1  Started`. */
export function countContainers(
  output: string,
): Readonly<Record<'recreated' | 'started' | 'stopped' | 'running', number>> {
  const ends = new Map<string, Set<string>>();
  for (const [, name = '', end = ''] of output.matchAll(/Container (\S+)\s+(Recreated|Started|Stopped|Running)\b/g)) {
    ends.set(end, (ends.get(end) ?? new Set()).add(name));
  }
  const count = (end: string): number => ends.get(end)?.size ?? 0;
  return {
    recreated: count('Recreated'),
    started: count('Started'),
    stopped: count('Stopped'),
    running: count('Running'),
  };
}

/** `2`, from `2.24.5` or `v2.24.5`; null for a build without a number. */
export function majorVersion(version: string): number | null {
  const match = /^v?(\d+)\./.exec(version.trim());
  return match ? Number(match[1]) : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
