/** A text of an environment as far as it is known without a worker. */
import type { MergedEnvironment } from '../merge.js';
import { replaceSettings } from '../settings.js';

/**
 * Settings are filled in, also those that settings use; a worker's variable becomes `<NAME:DEFAULT>`, which still tells two texts
 * apart. A circle (told elsewhere) stays as it is written.
 */
export function knownText(text: string, environment: MergedEnvironment, inside: readonly string[] = []): string {
  return replaceSettings(text, (name) => {
    const setting = environment.settings.get(name)?.value;
    if (setting === undefined || inside.includes(name)) return undefined;
    if (typeof setting !== 'object') return knownText(String(setting), environment, [...inside, name]);
    return `<${setting.env}:${knownText(setting.default ?? '', environment, [...inside, name])}>`;
  });
}

/** Whether nothing in it depends on a worker. */
export function isKnown(text: string): boolean {
  return !/<[^>]*:|\$\{/.test(text);
}
