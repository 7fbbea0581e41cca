/** Where a server writes down the statements that it is sent, and with them a password that comes in clear. */
import type { Server } from '../server.js';

interface Settings {
  readonly statement: string;
  readonly duration: string;
  readonly sample: string;
  readonly sampleRate: string;
  readonly transactionRate: string;
  readonly failed: string;
  readonly parse: string;
  readonly rewritten: string;
  /** null: the extension is not loaded. */
  readonly tracked: string | null;
  readonly utility: string | null;
  readonly audited: string | null;
}

/** As they hold for the administrator's own sessions: ALTER ROLE and ALTER DATABASE may set them. */
const SETTINGS = `
SELECT current_setting('log_statement') AS statement,
       current_setting('log_min_duration_statement') AS duration,
       current_setting('log_min_duration_sample') AS sample,
       current_setting('log_statement_sample_rate') AS "sampleRate",
       current_setting('log_transaction_sample_rate') AS "transactionRate",
       current_setting('log_min_error_statement') AS failed,
       current_setting('debug_print_parse') AS parse,
       current_setting('debug_print_rewritten') AS rewritten,
       current_setting('pg_stat_statements.track', true) AS tracked,
       current_setting('pg_stat_statements.track_utility', true) AS utility,
       current_setting('pgaudit.log', true) AS audited`;

/** For people, after "passwords are sent in clear". */
export async function whereWrittenDown(server: Server): Promise<string> {
  const settings = await server.asAdministrator(async (client) => (await client.query<Settings>(SETTINGS)).rows[0]);
  if (!settings) return 'where the server writes them down is not known';
  const places = alwaysIn(settings);
  // LOG, FATAL and PANIC are above ERROR: a statement that is refused is none of them.
  const failing = ['log', 'fatal', 'panic'].includes(settings.failed)
    ? ''
    : `where a statement fails, its log has it too (log_min_error_statement = ${settings.failed})`;
  const now =
    places.length === 0
      ? 'as the server is set now, nothing that Keyturn knows of writes down a statement that succeeds'
      : `the server writes them down: ${places.join('; ')}`;
  return [now, failing].filter((text) => text !== '').join('; ');
}

function alwaysIn(settings: Settings): string[] {
  const { statement, duration, sample, sampleRate, transactionRate, tracked, utility, audited } = settings;
  const audits = (audited ?? '').toLowerCase();
  return [
    // CREATE ROLE and ALTER ROLE are DDL.
    statement !== 'none' && `in its log (log_statement = ${statement})`,
    duration !== '-1' && `in its log, if one takes so long (log_min_duration_statement = ${duration})`,
    sample !== '-1' &&
      Number(sampleRate) > 0 &&
      `in its log, some of those that take so long (log_min_duration_sample = ${sample})`,
    Number(transactionRate) > 0 &&
      `in its log, of some transactions (log_transaction_sample_rate = ${transactionRate})`,
    settings.parse === 'on' && 'in its log (debug_print_parse = on)',
    settings.rewritten === 'on' && 'in its log (debug_print_rewritten = on)',
    utility === 'on' && tracked !== 'none' && 'in pg_stat_statements (pg_stat_statements.track_utility = on)',
    /\b(?:all|role)\b/.test(audits.replaceAll(/-\s*(?:role|all)\b/g, '')) &&
      `by pgaudit (pgaudit.log = ${audited}), some of whose versions leave the password out`,
  ].filter((place) => place !== false);
}
