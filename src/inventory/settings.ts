/**
 * `${name}` in an inventory: a setting, filled in when a plan is made. `${captured.…}`, `${inputs.…}` and `${value}` are
 * filled in by the checks at run time, `${row.…}` and `${key.id}` by a re-encryption, and stay as they are; `$${…}` stands for a literal `${…}`.
 */
import { KeyturnError } from '../domain/errors.js';
import type { Named } from './merge.js';
import type { Setting } from './schema.js';
import { looksSecret } from '../domain/secret-looking.js';
import { suggest } from './suggest.js';

/** The worker's own environment. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** How people call Keyturn where this worker is, for what a checklist prints to be typed; `up` and `worker` know it of themselves. */
export function commandIn(variables: Variables): string {
  return variables['KEYTURN_COMMAND'] || 'keyturn';
}

const PLACEHOLDER = /(\$?)\$\{([^}]*)(\}?)/g;
const RUNTIME = /^(?:value|key\.id|(?:captured|inputs|row)\..*)$/s;
const SETTING_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

export type Placeholder =
  | { readonly kind: 'setting' | 'runtime'; readonly name: string }
  | { readonly kind: 'malformed'; readonly text: string };

export function placeholdersOf(text: string): Placeholder[] {
  return [...text.matchAll(PLACEHOLDER)].flatMap(([whole, escape, name = '', end]): Placeholder[] => {
    if (escape) return [];
    if (end && isRuntime(name)) return [{ kind: 'runtime', name }];
    return end && SETTING_NAME.test(name) ? [{ kind: 'setting', name }] : [{ kind: 'malformed', text: whole }];
  });
}

/** Such a name would never be filled in from the settings. */
export function isRuntime(name: string): boolean {
  return RUNTIME.test(name);
}

/** Replaces settings only. `find` answers undefined to leave a placeholder as it is. */
export function replaceSettings(text: string, find: (name: string) => string | undefined): string {
  return text.replace(PLACEHOLDER, (whole: string, escape: string, name: string, end: string) => {
    if (escape) return whole.slice(1);
    return end && !isRuntime(name) ? (find(name) ?? whole) : whole;
  });
}

/** Looks settings up for one run: settings may use settings. */
export class SettingValues {
  readonly #open = new Set<string>();

  constructor(
    private readonly settings: Named<Setting>,
    private readonly variables: Variables,
  ) {}

  /**
   * @throws KeyturnError `setting-missing` naming the setting and the variable; `setting-secret` when the variable holds what
   * looks like a secret (settings go into plans, and plans into history).
   */
  get(name: string): string {
    const setting = this.settings.get(name)?.value;
    if (setting === undefined) {
      const hint = suggest(name, this.settings.keys(), 'there are');
      throw new KeyturnError('setting-missing', `no setting "${name}" is defined`, { hint });
    }
    if (typeof setting !== 'object') return this.fill(String(setting), name);
    const value = this.variables[setting.env];
    if (value === undefined || value === '') return this.#fallback(name, setting);
    const seen = looksSecret(value);
    if (seen) {
      throw new KeyturnError('setting-secret', `the variable ${setting.env} (setting "${name}") holds ${seen.what}`, {
        hint: 'settings are shown in plans: refer to secrets as { env: … } in databases or inputs instead',
      });
    }
    return value;
  }

  /** @param inside the setting whose text this is, to notice settings that use each other. */
  fill(text: string, inside?: string): string {
    if (inside !== undefined) {
      if (this.#open.has(inside)) {
        throw new KeyturnError('setting-missing', `the setting "${inside}" uses itself`, { hint: 'break the circle' });
      }
      this.#open.add(inside);
    }
    try {
      return replaceSettings(text, (name) => this.get(name));
    } finally {
      if (inside !== undefined) this.#open.delete(inside);
    }
  }

  /** Fills every text in a piece of plain data; keys stay as they are. */
  fillAll<T>(data: T): T {
    if (typeof data === 'string') return this.fill(data) as T;
    if (Array.isArray(data)) return data.map((item: unknown) => this.fillAll(item)) as T;
    if (typeof data !== 'object' || data === null) return data;
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, this.fillAll<unknown>(value)])) as T;
  }

  #fallback(name: string, setting: { env: string; default?: string | undefined }): string {
    if (setting.default !== undefined) return this.fill(setting.default, name);
    throw new KeyturnError('setting-missing', `the setting "${name}" needs the variable ${setting.env} of the worker`, {
      hint: `set ${setting.env} where the worker of this environment runs, or give the setting a default`,
    });
  }
}
