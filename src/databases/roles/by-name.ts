/** Places that know a role by its name, where the new one would be a stranger. */
import type { Session } from './session.js';

/** pg_hba.conf, as far as it can be read: a superuser's view. */
export async function namedInHba(session: Session, role: string): Promise<string[]> {
  const { rows } = await session.client.query<{ line: number }>(
    `SELECT line_number AS line FROM pg_hba_file_rules WHERE $1 = ANY (user_name) ORDER BY 1`,
    [role],
  );
  return rows.map(({ line }) => `line ${line} of pg_hba.conf names ${role}: add the new role, or write +GROUP`);
}

export async function mayReadHba(session: Session): Promise<boolean> {
  const { rows } = await session.client.query<{ may: boolean }>(
    `SELECT has_table_privilege('pg_catalog.pg_hba_file_rules', 'SELECT')
            AND has_function_privilege('pg_catalog.pg_hba_file_rules()', 'EXECUTE') AS may`,
  );
  return rows[0]?.may ?? false;
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
