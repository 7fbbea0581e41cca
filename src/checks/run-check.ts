/** Asks any check once. */
import type { PlannedCheck } from '../domain/specs/check.js';
import type { CheckAnswer, CheckContext } from './check.js';
import { askCommand } from './command.js';
import { askHttpFlow } from './http-flow.js';
import { askHttp } from './http.js';
import { askSql } from './sql.js';

/**
 * Takes at most the check's own `timeout` (a flow: that of each step). `passes`, `every` and `within` are for
 * `passConsecutively`.
 * @throws only the reason of `context.signal` when that aborts: a question that was broken off has no answer.
 */
export function askCheck(check: PlannedCheck, context: CheckContext): Promise<CheckAnswer> {
  switch (check.type) {
    case 'http':
      return askHttp(check, context);
    case 'http-flow':
      return askHttpFlow(check, context);
    case 'sql':
      return askSql(check, context);
    case 'command':
      return askCommand(check, context);
  }
}
