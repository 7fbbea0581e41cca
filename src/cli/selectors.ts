/** A secret as named on the command line. */
import { parseSelector, type SecretSelector } from '../domain/refs.js';

/** Takes the run's id too (`rotate:SYSTEM/ENV/SECRET`), which is what one copies from the UI. @throws KeyturnError `bad-reference`. */
export function selectorArgument(text: string): SecretSelector {
  return parseSelector(text.replace(/^rotate:/, ''));
}
