#!/usr/bin/env node
/**
 * All tests there are: every matrix whole, every version, the end-to-end runs with their crashes.
 *
 *   npm run test:deep                      all of it
 *   npm run test:deep -- --part 2/3        the second of three parts that take about as long
 */
import { spawnSync } from 'node:child_process';

const args = process.argv.slice(2);
const at = args.indexOf('--part');
if (at !== -1) {
  const [, part, parts] = /^([1-9]\d*)\/([1-9]\d*)$/.exec(args[at + 1] ?? '') ?? [];
  if (!part || Number(part) > Number(parts)) {
    process.stderr.write('error: --part wants K/N, K from 1 to N\nhint: --part 1/3\n');
    process.exit(2);
  }
  args.splice(at, 2, `--shard=${part}/${parts}`);
}
const { status } = spawnSync('npx', ['vitest', 'run', ...args], {
  stdio: 'inherit',
  env: { ...process.env, KEYTURN_TESTS: 'deep' },
});
process.exitCode = status ?? 1;
