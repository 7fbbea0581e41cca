/** Whether a role can be swapped, and how it is best done. Reads only. */
import type { Server } from '../server.js';
import { askingWho, assessHba } from './by-name.js';
import { differences } from './compare-rights.js';
import { assessEventTriggers } from './event-triggers.js';
import { readMemberships } from './memberships.js';
import { localObstacles, sharedObstacles, type Problem } from './obstacles.js';
import { firstOf, ownedHere } from './ownership.js';
import { holderOf, type RolePair } from './pair.js';
import { dependentDatabases, inEach } from './reach.js';
import { actingRole, readRights } from './read-rights.js';
import { findRole, needRole, type RoleRow } from './role-facts.js';
import type { Session } from './session.js';
import { id, inTransaction } from './session.js';
import { takeable } from './settings.js';

export interface SwapAssessment {
  /** Each of them would stop the run, or lose something. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

interface Findings {
  readonly problems: Problem[];
  readonly warnings: string[];
}

/** Names longer than this are cut off by the server (NAMEDATALEN). Bytes. */
const NAME_BYTES = 63;
/** The oid of the role that initdb made; it can be neither dropped nor demoted. */
const BOOTSTRAP = 10;
/** Of what a group lacks, this many lines are shown. */
const SHOWN = 5;

/** Preflight; changes nothing. `mark`: a role called `fresh` that carries it is ours. @throws KeyturnError as Server. */
export async function assessSwap(server: Server, pair: RolePair & { readonly mark?: string }): Promise<SwapAssessment> {
  const findings: Findings = { problems: [], warnings: [] };
  const databases = await inTransaction(server, { purpose: 'read' }, async (session) => {
    const old = await findRole(session, pair.old);
    findings.problems.push(...oldProblems(pair, old), ...(await freshProblems(session, pair)));
    if (!old || findings.problems.some(({ hint }) => hint.includes('same-role'))) return [];
    findings.problems.push(...(await groupProblems(session, pair)), ...(await sharedObstacles(session, pair)));
    findings.warnings.push(...validityWarnings(old));
    await assessMembers(session, pair, findings);
    const all = await dependentDatabases(session, [pair.old]);
    findings.problems.push(
      ...all.filter(({ connectable }) => !connectable).map(({ name }) => closedDatabase(pair.old, name)),
    );
    const open = all.filter(({ connectable }) => connectable).map(({ name }) => name);
    return [...new Set([session.database, ...open])];
  });
  await inEach(server, databases, (database) =>
    inTransaction(server, { purpose: 'read', database }, async (session) => {
      findings.problems.push(...(await localObstacles(session, pair)), ...(await ownershipProblems(session, pair)));
      findings.warnings.push(...(await askingWho(session, pair.strategy)));
      const { problems, warnings } = await assessEventTriggers(session);
      findings.problems.push(...problems);
      findings.warnings.push(...warnings);
    }),
  );
  if (databases.length > 0) {
    const { problems, warnings } = await assessHba(server, pair);
    findings.problems.push(...problems);
    findings.warnings.push(...warnings);
  }
  if (databases.length > 0 && findings.problems.length === 0)
    findings.problems.push(...(await groupLacks(server, pair)));
  return { problems: unique(findings.problems), warnings: findings.warnings };
}

/**
 * The strategy that loses nothing and changes least. `group`: the one in the inventory, or null.
 * @throws KeyturnError `unknown-role`, and as Server.
 */
export async function recommendStrategy(
  server: Server,
  old: string,
  group: string | null,
): Promise<{ strategy: 'group' | 'copy' | 'same-role'; reason: string }> {
  const { role, owned, known } = await inTransaction(server, { purpose: 'read' }, async (session) => ({
    role: await needRole(session, old),
    owned: await ownedHere(session, old),
    known: group === null ? null : await findRole(session, group),
  }));
  if (role.oid === BOOTSTRAP || role.superuser) {
    const what = role.oid === BOOTSTRAP ? `the server's first superuser, which cannot be dropped` : 'a superuser';
    return { strategy: 'same-role', reason: `${old} is ${what}: it gets a new password in place` };
  }
  if (group === null) {
    const owns =
      owned.length > 0 ? `what it owns (${firstOf(owned.slice(0, 3))}) stays where it is` : 'nothing has to be copied';
    return { strategy: 'group', reason: `${old} itself becomes the group: ${owns}, and current_user stays ${old}` };
  }
  if (!known) return { strategy: 'copy', reason: `there is no role ${group} that could hold the rights` };
  const { problems } = await assessSwap(server, { strategy: 'group', old, fresh: `${old.slice(0, 40)}_next`, group });
  const [first] = problems;
  if (first) return { strategy: 'copy', reason: `${group} will not do as it is: ${first.message}` };
  return { strategy: 'group', reason: `${group} holds all that ${old} has; nothing has to be copied` };
}

function oldProblems({ old }: RolePair, role: RoleRow | null): Problem[] {
  if (!role) return [{ message: `there is no role ${old} on the server`, hint: 'correct the stored credential' }];
  const inPlace = 'use strategy same-role: a new password in place; or move the application to a role of its own';
  if (role.oid === BOOTSTRAP) {
    return [
      { message: `${old} is the server's first superuser: it can be neither dropped nor demoted`, hint: inPlace },
    ];
  }
  if (role.superuser) {
    return [{ message: `${old} is a superuser: no other role is given that in its place`, hint: inPlace }];
  }
  if (!role.canLogin) {
    return [{ message: `${old} may not log in`, hint: 'correct the stored credential, or ALTER ROLE … LOGIN' }];
  }
  return [];
}

async function freshProblems(session: Session, { fresh, mark }: RolePair & { mark?: string }): Promise<Problem[]> {
  const bytes = Buffer.byteLength(fresh);
  if (bytes > NAME_BYTES) {
    return [
      {
        message: `the name of the new role, ${fresh}, has ${bytes} bytes; PostgreSQL takes ${NAME_BYTES}`,
        hint: 'choose a shorter role prefix',
      },
    ];
  }
  const present = await findRole(session, fresh);
  if (!present || (mark !== undefined && present.comment === mark)) return [];
  return [
    {
      message: `the role ${fresh} exists and is not of this rotation`,
      hint: 'choose another role prefix, or drop that role if nobody needs it',
    },
  ];
}

async function groupProblems(session: Session, { strategy, old, group }: RolePair): Promise<Problem[]> {
  if (strategy !== 'group' || group === null || group === old) return [];
  const row = await findRole(session, group);
  if (!row)
    return [{ message: `there is no role ${group}`, hint: `CREATE ROLE ${id(group)} NOLOGIN, and give it the rights` }];
  if (row.superuser) return [{ message: `the group ${group} is a superuser`, hint: 'take SUPERUSER from it' }];
  if (row.canLogin) {
    return [{ message: `the group ${group} may itself log in`, hint: `ALTER ROLE ${id(group)} NOLOGIN` }];
  }
  if (!(await takeable(session, old)).includes(group)) {
    return [
      {
        message: `${old} is not in the group ${group}`,
        hint: `GRANT ${id(group)} TO ${id(old)}, or use strategy copy`,
      },
    ];
  }
  return [];
}

/** Strategy group with a group of its own: what the old role has beside it would be lost. */
async function groupLacks(server: Server, { strategy, old, group }: RolePair): Promise<Problem[]> {
  if (strategy !== 'group' || group === null || group === old) return [];
  const [had, has] = await readRights(server, [old, group], { apart: [old, group] });
  if (!had || !has) return [];
  const lacks = differences(had, has)
    .missing.filter(
      (line) => !/^(?:attribute (?:LOGIN|REPLICATION|INHERIT)|connection limit|valid until|setting )/.test(line),
    )
    .map((line) => line.replace(/: the old role has it, the new one not$/, ''));
  if (lacks.length === 0) return [];
  const more = lacks.length > SHOWN ? `; and ${lacks.length - SHOWN} more` : '';
  return [
    {
      message: `the group ${group} lacks what ${old} has: ${lacks.slice(0, SHOWN).join('; ')}${more}`,
      hint: `grant it to ${group}, or use strategy copy`,
    },
  ];
}

async function assessMembers(session: Session, pair: RolePair, { problems, warnings }: Findings): Promise<void> {
  const { old, fresh, strategy } = pair;
  if (holderOf(pair) === old) return;
  const all = (await readMemberships(session, [old]))
    .filter(
      ({ role, member, inherit, set }) => role === old && member !== fresh && ((inherit ?? true) || (set ?? true)),
    )
    .map(({ member }) => member);
  // Before 16 an administrator's membership is the same as its right to administer the role, which it has of every role.
  if (all.includes(session.administrator) && session.version >= 160_000) {
    warnings.push(
      strategy === 'copy'
        ? `${session.administrator} is itself in ${old}, and will be in ${fresh} too`
        : `${session.administrator} is itself in ${old}, which will be dropped: what it needs of that, GRANT ${id(holderOf(pair))} TO ${id(session.administrator)}`,
    );
  }
  const members = all.filter((member) => member !== session.administrator);
  if (members.length === 0) return;
  const names = [...new Set(members)].join(', ');
  if (strategy === 'copy') warnings.push(`${names}: member of ${old}, becomes a member of ${fresh} too`);
  else {
    problems.push({
      message: `${names}: member of ${old}, which will be dropped`,
      hint: `GRANT ${id(holderOf(pair))} TO ${names}, and REVOKE ${id(old)} FROM ${names}`,
    });
  }
}

async function ownershipProblems(session: Session, pair: RolePair): Promise<Problem[]> {
  const { strategy, old, group } = pair;
  if (holderOf(pair) === old) return [];
  const owned = await ownedHere(session, old);
  if (owned.length === 0) return [];
  if (strategy === 'group' && group !== null && (await actingRole(session, old)) !== group) {
    return [
      {
        message: `${old} itself ${firstOf(owned.slice(0, 3))}, where ${group} should`,
        hint: `REASSIGN OWNED BY ${id(old)} TO ${id(group)} in database ${session.database}, or use strategy copy`,
      },
    ];
  }
  const problems: Problem[] = [];
  // Membership is how the new role works on what the old one owns; before 16 a role that does not inherit cannot be given it.
  if (strategy === 'copy' && session.version < 160_000 && !(await needRole(session, old)).inherit) {
    problems.push({
      message: `${old} has NOINHERIT and ${firstOf(owned.slice(0, 3))}: during the overlap the new role could not use that`,
      hint: 'use strategy group',
    });
  }
  const { rows } = await session.client.query<{ what: string }>(
    `SELECT format('event trigger %I', evtname) AS what FROM pg_event_trigger WHERE evtowner = $1::regrole
     UNION ALL SELECT format('foreign data wrapper %I', fdwname) FROM pg_foreign_data_wrapper WHERE fdwowner = $1::regrole`,
    [id(old)],
  );
  for (const { what } of rows) {
    problems.push({
      message: `${old} owns the ${what}, which only a superuser can take over`,
      hint: 'ALTER … OWNER TO a superuser',
    });
  }
  return problems;
}

function validityWarnings({ name, validUntil }: RoleRow): string[] {
  if (validUntil === null) return [];
  return [`${name} is valid until ${validUntil} only, and so will be the new role`];
}

const closedDatabase = (old: string, name: string): Problem => ({
  message: `${old} has rights or objects in database ${name}, which takes no connections`,
  hint: `ALTER DATABASE ${id(name)} ALLOW_CONNECTIONS true for as long as the swap takes, or drop that database`,
});

const unique = (problems: readonly Problem[]): Problem[] => [
  ...new Map(problems.map((problem) => [problem.message, problem])).values(),
];
