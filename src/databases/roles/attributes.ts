/** Role attributes, connection limit and end of validity, carried from one role to another. */
import { needRole, type RoleRow } from './role-facts.js';
import type { Session } from './session.js';
import { id, literal, runAll } from './session.js';

/** In the order they are shown. SUPERUSER is not among them: such a role is not swapped. */
const FLAGS = [
  ['INHERIT', 'inherit'],
  ['CREATEROLE', 'createRole'],
  ['CREATEDB', 'createDatabase'],
  ['REPLICATION', 'replication'],
  ['BYPASSRLS', 'bypassRls'],
] as const satisfies readonly (readonly [string, keyof RoleRow])[];

/** Asked of the role that logs in, whatever it then works as. */
const OF_THE_LOGIN = ['REPLICATION'];

/**
 * Gives `to` what `from` has; `which: 'login'` only what counts at log-in, where the rest counts for the role that is then worked as.
 * `again`: only what `to` lacks. Its limits are its own by then: somebody may have tuned them.
 * @returns what was given, in words.
 */
export async function carryAttributes(
  session: Session,
  { from, to, which, again }: { from: string; to: string; which: 'all' | 'login'; again: boolean },
): Promise<string[]> {
  const [had, has] = [await needRole(session, from), await needRole(session, to)];
  const options = FLAGS.filter(([word]) => which === 'all' || OF_THE_LOGIN.includes(word))
    .filter(([, key]) => had[key] !== has[key] && (had[key] || !again))
    .map(([word, key]) => `${had[key] ? '' : 'NO'}${word}`);
  if (!again && had.connectionLimit !== has.connectionLimit) options.push(`CONNECTION LIMIT ${had.connectionLimit}`);
  if (!again && had.validUntil !== has.validUntil) options.push(`VALID UNTIL ${literal(had.validUntil ?? 'infinity')}`);
  if (options.length > 0) await runAll(session, [`ALTER ROLE ${id(to)} ${options.join(' ')}`]);
  return options.map((option) => option.toLowerCase());
}

export function attributesInWords(role: RoleRow): string[] {
  return [
    ...FLAGS.map(([word, key]) => `attribute ${word}: ${role[key] ? 'yes' : 'no'}`),
    `attribute SUPERUSER: ${role.superuser ? 'yes' : 'no'}`,
    `attribute LOGIN: ${role.canLogin ? 'yes' : 'no'}`,
    `connection limit: ${role.connectionLimit}`,
    `valid until: ${role.validUntil ?? 'for ever'}`,
  ];
}
