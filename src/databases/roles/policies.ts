/** Row-level policies that name a role. */
import type { Session } from './session.js';
import { id, runAll } from './session.js';
import type { TableChange } from './table-by-table.js';

export interface Policy {
  readonly name: string;
  /** Of the table. */
  readonly oid: number;
  /** Schema and table, ready for SQL. */
  readonly table: string;
  /** null: PUBLIC. */
  readonly roles: readonly (string | null)[];
}

export async function readPolicies(session: Session, role: string): Promise<Policy[]> {
  const { rows } = await session.client.query<Policy>(
    `SELECT p.polname AS name, c.oid::int8::float8 AS oid, format('%I.%I', n.nspname, c.relname) AS table,
            ARRAY(SELECT CASE o WHEN 0 THEN NULL ELSE pg_get_userbyid(o)::text END FROM unnest(p.polroles) o) AS roles
       FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE (SELECT oid FROM pg_roles WHERE rolname = $1) = ANY (p.polroles)
      ORDER BY 2, 1`,
    [role],
  );
  return rows;
}

/** `to` beside `from`, where it is missing. ALTER POLICY locks the table for a moment. */
export async function policyChanges(
  session: Session,
  { from, to }: { from: string; to: string },
): Promise<TableChange[]> {
  return (await readPolicies(session, from))
    .filter(({ roles }) => !roles.includes(to))
    .map((policy) => {
      const all = [...policy.roles, to].map((role) => (role === null ? 'PUBLIC' : id(role)));
      return {
        ...{ oid: policy.oid, table: policy.table },
        statement: `ALTER POLICY ${id(policy.name)} ON ${policy.table} TO ${all.join(', ')}`,
        words: `database ${session.database}: ${policyInWords(policy)}`,
      };
    });
}

/** Adds `to` beside `from`. @returns what was done, in words. */
export async function carryPolicies(session: Session, names: { from: string; to: string }): Promise<string[]> {
  const missing = await policyChanges(session, names);
  await runAll(
    session,
    missing.map(({ statement }) => statement),
  );
  return missing.map(({ words }) => words);
}

export const policyInWords = ({ name, table }: Pick<Policy, 'name' | 'table'>): string => `policy ${name} on ${table}`;
