/** What every verb gets: the settings of this call, and where to print. */
import { Console } from './console.js';

export interface GlobalOptions {
  readonly inventory?: string;
  readonly json?: boolean;
  /** Commander's name for `--no-color`. */
  readonly color: boolean;
}

export interface Context {
  readonly console: Console;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** `--inventory`, if given. */
  readonly inventory: string | undefined;
}

export function createContext(options: GlobalOptions): Context {
  const { env } = process;
  return {
    console: new Console({ json: options.json ?? false, colour: options.color, env }),
    env,
    cwd: process.cwd(),
    inventory: options.inventory,
  };
}
