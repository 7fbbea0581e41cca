/** What Compose's answers mean. Pure. */

export interface ContainerState {
  readonly service: string;
  /** `running`, `exited`, `restarting`, `created` … */
  readonly state: string;
  /** `healthy`, `unhealthy`, `starting`, or empty without a health check. */
  readonly health: string;
  readonly exitCode: number;
}

/** `ps --format json`: one object a line since Compose 2.21, before that one array. Lines that are neither are left out. */
export function parseStates(output: string): ContainerState[] {
  return output.split('\n').flatMap((line) => {
    const parsed = parse(line);
    return (Array.isArray(parsed) ? parsed : [parsed]).flatMap(toState);
  });
}

export function isFailing(container: ContainerState): boolean {
  // A one-off (a migration) is well when it has ended with 0.
  if (container.state === 'exited') return container.exitCode !== 0;
  return container.state !== 'running' || container.health === 'unhealthy';
}

export function describeState({ service, state, health, exitCode }: ContainerState): string {
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

function toState(entry: unknown): ContainerState[] {
  const { Service, State, Health, ExitCode } = (entry ?? {}) as Record<string, unknown>;
  if (typeof Service !== 'string' || typeof State !== 'string') return [];
  const health = typeof Health === 'string' ? Health : '';
  return [{ service: Service, state: State, health, exitCode: typeof ExitCode === 'number' ? ExitCode : 0 }];
}
