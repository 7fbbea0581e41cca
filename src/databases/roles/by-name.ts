/** Places that know a role by its name, where the new one would be a stranger. */
import { readHba, shutOut, type Successor } from '../access/hba-rules.js';
import { PRIMARY, type Server } from '../server.js';
import type { Problem } from './obstacles.js';
import { holderOf, type RolePair } from './pair.js';
import { inTransaction, type Session } from './session.js';

/**
 * pg_hba.conf of every node, in the application's database. Under `copy` the new role is a member of the old one as long as that is
 * there: a line that asks for membership lets it in at every trial, and locks the application out with the drop.
 */
export async function assessHba(server: Server, pair: RolePair): Promise<{ problems: Problem[]; warnings: string[] }> {
  const successor = await inTransaction(server, { purpose: 'read' }, (session) => successorOf(session, pair));
  const findings: { problems: Problem[]; warnings: string[] } = { problems: [], warnings: [] };
  for (const node of server.nodes) {
    const rules = await server.asAdministrator((client) => readHba(client, successor), { node });
    const file = node === PRIMARY ? 'pg_hba.conf' : `pg_hba.conf of node ${node}`;
    if (rules === null) {
      findings.warnings.push(
        `${file} may not be read, so nobody has looked whether a line in it names ${pair.old} (GRANT SELECT ON pg_hba_file_rules and EXECUTE ON FUNCTION pg_hba_file_rules() to the administrator)`,
      );
      continue;
    }
    const { atOnce, afterDrop } = shutOut(rules);
    const hint =
      pair.strategy === 'copy'
        ? `name there, with "+", a role that ${pair.old} is in: the new role gets into it too; or use strategy group`
        : `write "+${holderOf(pair)}" there`;
    findings.problems.push(
      ...afterDrop.map((line) => ({
        message: `line ${line} of ${file} would let the new role in as a member of ${pair.old} only: with the drop the application would be locked out`,
        hint,
      })),
      ...atOnce.map((line) => ({
        message: `line ${line} of ${file} lets ${pair.old} in, and no line the new role`,
        hint,
      })),
    );
  }
  return findings;
}

async function successorOf(session: Session, pair: RolePair): Promise<Successor> {
  const { old, fresh } = pair;
  const holder = holderOf(pair);
  const above = async (name: string): Promise<string[]> => [name, ...(await rolesAbove(session, name))];
  const oldRoles = await above(old);
  const after = holder === fresh ? oldRoles.filter((name) => name !== old) : await above(holder);
  return {
    old: { name: old, roles: oldRoles },
    overlap: { name: fresh, roles: [fresh, ...(holder === fresh ? oldRoles : after)] },
    after: { name: fresh, roles: [fresh, ...after] },
  };
}

/** Roles that a role is in, directly or not. That it is a superuser does not make it a member: pg_hba.conf does not count that either. */
async function rolesAbove(session: Session, role: string): Promise<string[]> {
  const { rows } = await session.client.query<{ name: string }>(
    `WITH RECURSIVE above AS (
       SELECT m.roleid FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = $1
       UNION SELECT m.roleid FROM pg_auth_members m JOIN above a ON a.roleid = m.member)
     SELECT r.rolname AS name FROM above a JOIN pg_roles r ON r.oid = a.roleid`,
    [role],
  );
  return rows.map(({ name }) => name);
}

/**
 * Policies, column defaults and views of this database that ask who is connected. By `copy`, current_user becomes another name; by
 * `group`, only session_user does.
 */
export async function askingWho(session: Session, strategy: 'group' | 'copy'): Promise<string[]> {
  const asks = strategy === 'copy' ? '(CURRENT_USER|SESSION_USER|CURRENT_ROLE)' : 'SESSION_USER';
  const { rows } = await session.client.query<{ what: string }>(
    `WITH asking AS (
       SELECT format('policy %I on %s', p.polname, p.polrelid::regclass) AS what,
              concat(pg_get_expr(p.polqual, p.polrelid), ' ', pg_get_expr(p.polwithcheck, p.polrelid)) AS text FROM pg_policy p
       UNION ALL
       SELECT format('default of %s.%I', d.adrelid::regclass, a.attname), pg_get_expr(d.adbin, d.adrelid)
         FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
       UNION ALL
       SELECT format('view %s', c.oid::regclass), pg_get_viewdef(c.oid)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'v' AND n.nspname NOT IN ('pg_catalog', 'information_schema'))
     SELECT what FROM asking WHERE text ~* $1 ORDER BY 1 LIMIT 5`,
    [`\\m${asks}\\M`],
  );
  return rows.map(
    ({ what }) => `database ${session.database}: the ${what} asks who is connected, and will see another name`,
  );
}
