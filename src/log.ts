/** The worker's log: one JSON object a line on standard error, with every value that this process has met taken out. */
import { pino, type Logger } from 'pino';
import { KeyturnError } from './domain/errors.js';
import { redact } from './domain/secret-value.js';

const LEVELS = ['debug', 'info', 'warn', 'error'];

/** @throws KeyturnError `setting-bad` for a level that there is not. */
export function createLog(level = process.env['KEYTURN_LOG_LEVEL'] || 'info'): Logger {
  if (!LEVELS.includes(level)) {
    throw new KeyturnError('setting-bad', `KEYTURN_LOG_LEVEL is "${level}", which is no level`, {
      hint: `one of ${LEVELS.join(', ')}`,
    });
  }
  return pino(
    { level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line) => void process.stderr.write(redact(line)) },
  );
}
