/** Everything the server knows about a role, in lines that are the same whenever nothing changed. */
import type { Server } from '../server.js';
import { attributesInWords } from './attributes.js';
import { defaultInWords, readDefaults } from './default-privileges.js';
import { grantInWords, readGrants } from './grants.js';
import { membershipInWords, readMemberships } from './memberships.js';
import { ownedHere } from './ownership.js';
import { policyInWords, readPolicies } from './policies.js';
import { inEach, dependentDatabases } from './reach.js';
import { findRole, type RoleRow } from './role-facts.js';
import type { Session } from './session.js';
import { inTransaction } from './session.js';
import { readSettings, settingInWords } from './settings.js';
import { readMappings } from './user-mappings.js';

export interface RoleFacts extends RoleRow {
  /** Sorted; names the role as it is. Holds no password and no verifier. */
  readonly lines: readonly string[];
  /** Databases that take no connections, in which something of the role's is: what it is, nobody can see. */
  readonly closedDatabases: readonly string[];
}

/** Changes nothing. null: there is no such role. @throws KeyturnError as Server. */
export async function inspectRole(server: Server, role: string): Promise<RoleFacts | null> {
  const shared = await inTransaction(server, { purpose: 'read' }, async (session) => {
    const row = await findRole(session, role);
    if (!row) return null;
    const lines = [...(await sharedLines(session, row)), ...(await databaseLines(session, role))];
    const databases = (await dependentDatabases(session, [role])).filter(({ name }) => name !== session.database);
    return { row, lines, databases };
  });
  if (!shared) return null;
  const open = shared.databases.filter(({ connectable }) => connectable).map(({ name }) => name);
  const closed = shared.databases.filter(({ connectable }) => !connectable).map(({ name }) => name);
  const local = await inEach(server, open, (database) =>
    inTransaction(server, { database, purpose: 'read' }, (session) => databaseLines(session, role)),
  );
  const lines = [...shared.lines, ...local.flat(), ...closed.map((name) => `database ${name}: takes no connections`)];
  return { ...shared.row, closedDatabases: closed, lines: [...new Set(lines)].sort() };
}

async function sharedLines(session: Session, row: RoleRow): Promise<string[]> {
  return [
    ...attributesInWords(row),
    `comment: ${row.comment ?? 'none'}`,
    ...(await readSettings(session, [row.name])).map(settingInWords),
    ...(await readMemberships(session, [row.name])).map(membershipInWords),
    ...(await readGrants(session, 'cluster', [row.name])).map(grantInWords),
  ];
}

async function databaseLines(session: Session, role: string): Promise<string[]> {
  const lines = [
    ...(await readGrants(session, 'database', [role])).map(grantInWords),
    ...(await readDefaults(session, [role])).filter(({ builtIn }) => !builtIn).map(defaultInWords),
    ...(await readPolicies(session, role)).map(policyInWords),
    ...(await readMappings(session, role)).map((server) => `user mapping for server ${server}`),
  ];
  // Owned objects come with the name of their database, or without one when the cluster shares them.
  return [...lines.map((line) => `database ${session.database}: ${line}`), ...(await ownedHere(session, role))];
}
