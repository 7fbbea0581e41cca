import { milliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import type { PlannedMeasure } from '../domain/specs/check.js';
import type { CheckContext } from './check.js';
import { firstValue } from './database.js';
import { send } from './http-client.js';
import { label } from './http.js';
import { resolvePointer } from './json-pointer.js';
import { parseJson } from './reply-expectation.js';
import { describe, oneLine } from '../processes/safe-text.js';
import { readOnly } from './sql.js';

/**
 * Reads a counter once. Changes nothing.
 * @throws KeyturnError saying why there is no number (`no-answer`, `no-number`, or what `withDatabase` throws); when the signal
 * aborts, its reason.
 */
export async function readCounter(measure: PlannedMeasure, context: CheckContext): Promise<number> {
  if (measure.type === 'sql') {
    const result = await readOnly(measure.database, measure.query, milliseconds(measure.timeout), context);
    return finite(firstValue(result), 'the query');
  }
  const { url, headers, timeout } = measure;
  const request = { method: 'GET' as const, url, timeout, ...(headers && { headers }) };
  const reply = await send(request, context.signal);
  if (reply.status < 200 || reply.status > 299) throw noNumber(`${label(request)} answered ${reply.status}`);
  return finite(resolvePointer(parseJson(reply.body), measure.json), `${measure.json} of ${label(request)}`);
}

function finite(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw noNumber(`${where} is ${describe(value)}, not a number`);
}

function noNumber(why: string): KeyturnError {
  return new KeyturnError('no-number', oneLine(why, 200), { retryable: true });
}
