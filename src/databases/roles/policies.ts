/** Row-level policies that name a role. */
import type { Session } from './session.js';
import { id, runAll } from './session.js';

export interface Policy {
  readonly name: string;
  /** Schema and table, ready for SQL. */
  readonly table: string;
  /** null: PUBLIC. */
  readonly roles: readonly (string | null)[];
}

export async function readPolicies(session: Session, role: string): Promise<Policy[]> {
  const { rows } = await session.client.query<Policy>(
    `SELECT p.polname AS name, format('%I.%I', n.nspname, c.relname) AS table,
            ARRAY(SELECT CASE o WHEN 0 THEN NULL ELSE pg_get_userbyid(o)::text END FROM unnest(p.polroles) o) AS roles
       FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE (SELECT oid FROM pg_roles WHERE rolname = $1) = ANY (p.polroles)
      ORDER BY 2, 1`,
    [role],
  );
  return rows;
}

/** Adds `to` beside `from`. ALTER POLICY locks the table for a moment. @returns what was done, in words. */
export async function carryPolicies(session: Session, { from, to }: { from: string; to: string }): Promise<string[]> {
  const missing = (await readPolicies(session, from)).filter(({ roles }) => !roles.includes(to));
  await runAll(
    session,
    missing.map(({ name, table, roles }) => {
      const all = [...roles, to].map((role) => (role === null ? 'PUBLIC' : id(role)));
      return `ALTER POLICY ${id(name)} ON ${table} TO ${all.join(', ')}`;
    }),
  );
  return missing.map((policy) => `database ${session.database}: ${policyInWords(policy)}`);
}

export const policyInWords = ({ name, table }: Policy): string => `policy ${name} on ${table}`;
