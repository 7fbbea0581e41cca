/** What ALTER ROLE … SET stored: settings that hold from log-in on, for every database or for one. */
import type { Session } from './session.js';
import { id, literal, runAll } from './session.js';

export interface Setting {
  readonly role: string;
  /** null: in every database. */
  readonly database: string | null;
  readonly name: string;
  /** As stored; a list stays one text. */
  readonly value: string;
}

export async function readSettings(session: Session, roles: readonly string[]): Promise<Setting[]> {
  const { rows } = await session.client.query<Setting>(
    `SELECT r.rolname AS role, d.datname AS database, split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
       FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
      CROSS JOIN LATERAL unnest(s.setconfig) c
      WHERE r.rolname = ANY ($1) ORDER BY 2 NULLS FIRST, 3`,
    [roles],
  );
  return rows;
}

/**
 * Gives `to` the settings of `from`; where both have one, `from` decides, unless it is done `again`: then `to` was tuned. A `role` that `from` may not take has no effect on it: it works as
 * itself, and `to` shall work as `itself` then; null: that setting is carried over as it is. @returns what was given, in words.
 */
export async function carrySettings(
  session: Session,
  { from, to, itself, again }: { from: string; to: string; itself: string | null; again: boolean },
): Promise<string[]> {
  const all = await readSettings(session, [from, to]);
  const takes = await takeable(session, from);
  const missing = all
    .filter(({ role }) => role === from)
    .map((setting) =>
      setting.name === 'role' && itself !== null && !takes.includes(setting.value)
        ? { ...setting, value: itself }
        : setting,
    )
    .filter(
      ({ name, database, value }) =>
        !all.some(
          (has) => has.role === to && has.name === name && has.database === database && (again || has.value === value),
        ),
    );
  await runAll(
    session,
    missing.map((setting) => setStatement({ ...setting, role: to })),
  );
  return missing.map((setting) => settingInWords(setting));
}

/** Roles that SET ROLE lets it take. */
export async function takeable(session: Session, role: string): Promise<string[]> {
  const may = session.version >= 160_000 ? 'SET' : 'MEMBER';
  const { rows } = await session.client.query<{ name: string }>(
    `SELECT rolname AS name FROM pg_roles WHERE pg_has_role($1::name, oid, '${may}')`,
    [role],
  );
  return rows.map(({ name }) => name);
}

export function setStatement({ role, database, name, value }: Setting): string {
  const where = database === null ? '' : ` IN DATABASE ${id(database)}`;
  // A custom setting's name has two parts: my_app.tenant.
  const written = name.split('.').map(id).join('.');
  return `ALTER ROLE ${id(role)}${where} SET ${written} TO ${valueOf(name, value)}`;
}

/** Names and values: a setting may hold anything, but it is shown to everybody in pg_roles anyway. */
export function settingInWords({ database, name, value }: Setting): string {
  return `setting ${name}${database === null ? '' : ` in database ${database}`}: ${value}`;
}

/** Lists whose elements are stored quoted, as in pg_dump: one literal would become one element. */
const QUOTED_LISTS = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

function valueOf(name: string, value: string): string {
  if (!QUOTED_LISTS.has(name.toLowerCase())) return literal(value);
  const elements = listElements(value);
  return elements.length === 0 ? "''" : elements.map(literal).join(', ');
}

export function listElements(value: string): string[] {
  return [...value.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,]+?))\s*(?:,|$)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
}
