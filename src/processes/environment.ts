/** What a program sees of the worker's environment: enough to run, and what is named. Not the worker's credentials. */
const ALWAYS = ['PATH', 'HOME', 'LANG', 'TMPDIR'];

export function minimalEnvironment(
  named: readonly string[] = [],
  worker: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  return onlyThese([...ALWAYS, ...named], worker);
}

/** A worker without PATH still finds the system's programs. */
export function onlyThese(names: readonly string[], worker: NodeJS.ProcessEnv): Record<string, string> {
  const seen: Record<string, string> = { PATH: '/usr/local/bin:/usr/bin:/bin' };
  for (const name of names) {
    const value = worker[name];
    if (value !== undefined) seen[name] = value;
  }
  return seen;
}
