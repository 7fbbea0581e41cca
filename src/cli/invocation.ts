/** How the person would call this program again, so that printed commands work as printed. */
import { basename, relative } from 'node:path';

/**
 * An installed or linked program is called by its name; a clone's by its npm script where that is how it was started (npm finds it
 * from any directory of the clone), else by its file, from the directory one is in.
 */
export function invocation(argv: readonly string[] = process.argv, env = process.env, cwd = process.cwd()): string {
  const program = argv[1] ?? 'keyturn';
  if (basename(program) === 'keyturn') return env['npm_command'] === 'exec' ? 'npx keyturn' : 'keyturn';
  const isScript =
    env['npm_package_name'] === 'keyturn' && ['run', 'run-script', 'start'].includes(env['npm_command'] ?? '');
  if (isScript) return 'npm run -s keyturn --';
  const path = relative(cwd, program);
  return `node ${quoteArgument(path)}`;
}

/** The same for people elsewhere, who read a checklist: a path from this directory would be of no use to them. */
export function invocationForOthers(): string {
  const way = invocation();
  return way.startsWith('node ') ? 'keyturn' : way;
}

/** For a POSIX shell. */
export function quoteArgument(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
