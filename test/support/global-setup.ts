/** Starts what the integration project shares, and fails the run if a test leaves anything behind. */
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { temporaryDirectory } from '../../src/embedded/directories.js';
import { startPostgres } from '../../src/embedded/postgres.js';
import { reaperPid } from '../../src/embedded/reaper.js';
import { startTemporalServer } from '../../src/embedded/temporal-server.js';
import { leftInPostgres, leftProcesses, RUN_MARK } from './leaks.js';

/** Set to a directory to keep the servers' logs there (CI does). */
const KEEP_LOGS = 'KEYTURN_TEST_LOGS';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const logs = await temporaryDirectory('test-logs');
  const temporalLog = join(logs.path, 'temporal.log');
  const postgresLog = join(logs.path, 'postgres.log');
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const [temporal, postgres] = await Promise.all([
    startTemporalServer({ logFile: temporalLog, onProgress: say }),
    startPostgres({ logFile: postgresLog, settings: { log_statement: 'all', max_connections: '300' } }),
  ]);
  project.provide('temporalAddress', temporal.address);
  project.provide('temporalCli', temporal.cli);
  project.provide('temporalLog', temporalLog);
  project.provide('postgresUrl', postgres.url);
  project.provide('postgresLog', postgresLog);
  // After the servers started: they are ours to stop, and only what the tests start carries the mark.
  const mark = randomUUID();
  process.env[RUN_MARK] = mark;

  return async () => {
    const left = [
      ...(await leftInPostgres(postgres.url)),
      ...(await leftProcesses(mark, [process.pid, reaperPid() ?? 0, temporal.pid, postgres.pid])),
    ];
    await Promise.all([temporal.stop(), postgres.stop()]);
    const keep = process.env[KEEP_LOGS];
    if (keep !== undefined) {
      mkdirSync(keep, { recursive: true });
      for (const log of [temporalLog, postgresLog]) copyFileSync(log, join(keep, log.split('/').at(-1) ?? 'log'));
    }
    await logs.remove();
    if (left.length > 0) {
      // vitest prints an error of a teardown and exits with 0 all the same.
      process.exitCode = 1;
      throw new Error(`left behind by the tests:\n  ${left.join('\n  ')}`);
    }
  };
}
