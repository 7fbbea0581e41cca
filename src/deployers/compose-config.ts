/** `docker compose config --format json`: what each service of a project is given, with every variable filled in. Pure. */
import type { Reach } from './deployer.js';

/**
 * @param texts the value, as it may stand there. @param deployed the services that a deploy names; undefined: all.
 * @param along whether those that they depend on are replaced with them where their own definition changes: `up` does that.
 * @returns null: that was no answer.
 */
export function reachIn(
  config: string,
  texts: readonly string[],
  deployed: readonly string[] | undefined,
  along: boolean,
): Reach | null {
  const services = servicesOf(config);
  if (!services) return null;
  const wanted = texts.filter((text) => text !== '');
  const given = [...services].flatMap(([name, service]) =>
    stringsIn(service).some((string) => wanted.some((text) => string.includes(text))) ? [name] : [],
  );
  const touched = new Set(deployed ?? services.keys());
  // A set's own iteration goes on with what is added on the way.
  if (along) for (const name of touched) for (const other of dependenciesOf(services.get(name))) touched.add(other);
  return {
    replaced: given.filter((name) => touched.has(name)),
    left: given.filter((name) => !touched.has(name)),
  };
}

function servicesOf(config: string): ReadonlyMap<string, unknown> | null {
  try {
    const { services } = JSON.parse(config) as { services?: unknown };
    return typeof services === 'object' && services !== null ? new Map(Object.entries(services)) : null;
  } catch {
    return null;
  }
}

function dependenciesOf(service: unknown): string[] {
  const { depends_on: needed } = (service ?? {}) as { depends_on?: unknown };
  return typeof needed === 'object' && needed !== null ? Object.keys(needed) : [];
}

function stringsIn(value: unknown): string[] {
  // Compose writes a "$" of a value as "$$", so that its answer could be read again.
  if (typeof value === 'string') return [value, value.replaceAll('$$', '$')];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : [];
}
