/**
 * What a YAML file may look like before it is parsed. The parser calls itself for each level, and V8 ends the whole process,
 * without an error that could be caught, when a pattern is compiled where the stack is nearly used up.
 */
import type { SourceProblem } from './yaml-source.js';

const LONGEST_LINE = 10_000;
/** Far more than an inventory has, which is refused at 60; brackets in texts and comments count too. */
const MOST_OPEN = 200;
/** `- - - a`: each is a level. */
const MOST_INDICATORS = 60;

/** @returns what is wrong with the first line that goes beyond; null: the text can be parsed. */
export function beyondBounds(text: string): SourceProblem | null {
  let open = 0;
  let number = 0;
  for (const line of text.split('\n')) {
    number += 1;
    const refuse = (message: string, hint: string | null): SourceProblem => {
      return { line: number, column: 1, path: [], message, hint };
    };
    if (line.length > LONGEST_LINE)
      return refuse(`this line is longer than ${LONGEST_LINE} characters`, 'break it up; or is it the right file?');
    open = openBrackets(line, open);
    if (open > MOST_OPEN || levelsBefore(line) > MOST_INDICATORS) return refuse('this is nested too deeply', null);
  }
  return null;
}

function openBrackets(line: string, before: number): number {
  let open = before;
  for (const character of line) {
    if (character === '[' || character === '{') open += 1;
    else if (character === ']' || character === '}') open = Math.max(0, open - 1);
    if (open > MOST_OPEN) return open;
  }
  return open;
}

/** Indicators before anything else on a line. */
function levelsBefore(line: string): number {
  let levels = 0;
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at] ?? '';
    if ('-?:'.includes(character) && [' ', '\t'].includes(line[at + 1] ?? '')) levels += 1;
    else if (character !== ' ' && character !== '\t') break;
  }
  return levels;
}
