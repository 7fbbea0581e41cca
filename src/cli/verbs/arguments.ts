/** Arguments that several verbs take. */
import { userInfo } from 'node:os';
import { Argument, InvalidArgumentError, Option } from 'commander';
import { REASONS } from '../../domain/reason.js';

export function refArgument(): Argument {
  return new Argument('<ref>', 'SYSTEM/ENV/SECRET; SYSTEM/SECRET means all its environments in rollout order');
}

export function operatorOption(): Option {
  return new Option('--operator <who>', 'who asks for it').default(currentUser(), 'the signed-in user');
}

export function reasonOption(): Option {
  return new Option('--reason <why>', 'why').choices(REASONS).default('routine');
}

/** To stop at a gate is to watch until there is one. */
export function stopAtGateOption(): Option {
  return new Option('--stop-at-gate', 'as --wait, but exit 4 as soon as a person must decide').implies({ wait: true });
}

function currentUser(): string {
  const named = process.env['USER'] ?? process.env['LOGNAME'];
  if (named) return named;
  try {
    return userInfo().username;
  } catch {
    // A container's user may have no entry in /etc/passwd.
    return 'unknown';
  }
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}
