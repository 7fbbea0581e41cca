/** Failure row 34: with every statement logged and counted, and one that fails, nothing but verifiers is to be found. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { setPassword } from '../../../src/databases/access/password.js';
import { proveLogin, proveRefused, wrongPasswordIsRefused } from '../../../src/databases/access/prove-login.js';
import { scramVerifier } from '../../../src/databases/access/scram.js';
import { listSessions, terminateSessions } from '../../../src/databases/access/sessions.js';
import { whereWrittenDown } from '../../../src/databases/access/written-down.js';
import { formsOf } from '../../../src/domain/redactor.js';
import { startVersion } from '../../support/postgres-versions.js';
import { failureOf, inDatabase, newPassword, prepare, serverFor } from './support.js';
import { sampled } from '../../support/sample.js';

const EVERYTHING = {
  ...{
    log_statement: 'all',
    log_min_duration_statement: '0',
    log_connections: 'on',
    log_min_error_statement: 'debug5',
  },
  ...{ log_min_messages: 'debug2', shared_preload_libraries: 'pg_stat_statements' },
  'pg_stat_statements.track_utility': 'on',
};

describe.each(sampled([14, 18] as const, 1))('PostgreSQL %i, which logs and counts all it is sent', (major) => {
  test('shows no password in its log, in pg_stat_statements or in an error: only verifiers', async (context) => {
    const postgres = await startVersion(major, EVERYTHING);
    if (typeof postgres === 'string') return context.skip(postgres);
    const { administrator, v1 } = await prepare(postgres);
    await inDatabase(postgres, 'CREATE EXTENSION pg_stat_statements');
    const server = serverFor(postgres, { administrator });
    const v2 = { user: 'app_v1', password: newPassword() };
    const unused = newPassword();
    const verifier = scramVerifier(v2.password, 'app_v1 run-1');
    const failing = scramVerifier(unused, 'no_such_role');
    await setPassword(server, 'app_v1', verifier);
    const error = await failureOf(setPassword(server, 'no_such_role', failing));
    await proveLogin(server, v2, { probe: null });
    await failureOf(proveLogin(server, v2, { probe: 'INSERT INTO nowhere VALUES (1)' }));
    await proveRefused(server, v1, v2);
    await wrongPasswordIsRefused(server, 'app_v1');
    await listSessions(server, 'app_v1');
    await terminateSessions(server, 'app_v1');
    const counted = await inDatabase(postgres, 'SELECT query FROM pg_stat_statements');
    const statements = counted.map(({ query }) => String(query)).join('\n');
    const log = await readFile(postgres.logFile, 'utf8');
    // The search would find it: the statement that failed stands in the log, verifier and all.
    expect(log).toContain(`STATEMENT:  ALTER ROLE "no_such_role" PASSWORD '${failing}'`);
    expect(log).toContain(verifier);
    expect(statements).toContain('ALTER ROLE');
    const everything = `${log}\n${statements}\n${error.message}\n${String(error.stack)}\n${JSON.stringify(error)}`;
    for (const password of [v1.password, v2.password, unused, administrator.password]) {
      for (const form of formsOf(password.reveal())) expect(everything.includes(form)).toBe(false);
    }

    // And where the inventory wants them in clear, it is said where they stand; there they do.
    const open = serverFor(postgres, { administrator, passwords: 'plaintext' });
    const v3 = newPassword();
    await setPassword(open, 'app_v1', v3);
    const said = await whereWrittenDown(open);
    for (const setting of ['log_statement = all', 'duration_statement = 0', 'track_utility = on'])
      expect(said).toContain(setting);
    expect(await readFile(postgres.logFile, 'utf8')).toContain(v3.reveal());
    const kept = await inDatabase(postgres, 'SELECT query FROM pg_stat_statements');
    expect(kept.some(({ query }) => String(query).includes(v3.reveal()))).toBe(true);
  });
});
