/** Where pg_hba.conf lets in the role in use and would not let in the one that replaces it. */
import type pg from 'pg';

export interface HbaRule {
  readonly line: number;
  /** `local`, `host`, `hostssl` … */
  readonly type: string;
  /** null: a local socket. */
  readonly address: string | null;
  readonly netmask: string | null;
  readonly method: string | null;
  /** Whether the line is about each of the three, in this database. */
  readonly matches: { readonly old: boolean; readonly overlap: boolean; readonly after: boolean };
}

/** A role as pg_hba.conf sees it: by its name, and by the roles that it is in. */
export interface Seen {
  readonly name: string;
  /** Itself among them. */
  readonly roles: readonly string[];
}

export interface Successor {
  readonly old: Seen;
  /** While both roles are there. */
  readonly overlap: Seen;
  /** Once the old role is dropped. */
  readonly after: Seen;
}

/** @returns null when the administrator may not read it. On the node that `client` leads to. */
export async function readHba(client: pg.Client, { old, overlap, after }: Successor): Promise<HbaRule[] | null> {
  const { rows: may } = await client.query<{ may: boolean; version: number }>(
    `SELECT has_table_privilege('pg_catalog.pg_hba_file_rules', 'SELECT')
            AND has_function_privilege('pg_catalog.pg_hba_file_rules()', 'EXECUTE') AS may,
            current_setting('server_version_num')::int AS version`,
  );
  const [row] = may;
  if (!row?.may) return null;
  const about = (name: string, roles: string): string => matchesBoth(name, roles, row.version >= 160_000);
  const { rows } = await client.query<Omit<HbaRule, 'matches'> & HbaRule['matches']>(
    `SELECT line_number AS line, type, address, netmask, auth_method AS method,
            ${about('$1', '$2')} AS old, ${about('$3', '$4')} AS overlap, ${about('$5', '$6')} AS after
       FROM pg_hba_file_rules WHERE error IS NULL ORDER BY ${row.version >= 160_000 ? 'rule_number' : 'line_number'}`,
    [old, overlap, after].flatMap(({ name, roles }) => [name, [...roles]]),
  );
  return rows.map(({ line, type, address, netmask, method, ...matches }) => ({
    ...{ line, type, address, netmask, method, matches },
  }));
}

/** `+role` and samerole ask for a member, whatever the membership lets it do. A slash begins a pattern from PostgreSQL 16 on. */
function matchesBoth(name: string, roles: string, patterns: boolean): string {
  const pattern = (of: string): string =>
    patterns ? `WHEN left(word, 1) = '/' THEN ${of} ~ substr(word, 2)` : `WHEN left(word, 1) = '/' THEN false`;
  const word = (column: string, cases: string): string =>
    `coalesce((SELECT bool_or(CASE ${cases} END) FROM unnest(${column}) word), false)`;
  return `(${word('user_name', `WHEN word = 'all' THEN true WHEN left(word, 1) = '+' THEN substr(word, 2) = ANY (${roles}::text[]) ${pattern(`${name}::text`)} ELSE word = ${name}::text`)}
       AND ${word('database', `WHEN word = 'all' THEN true WHEN word = 'sameuser' THEN current_database() = ${name}::text WHEN word IN ('samerole', 'samegroup') THEN current_database() = ANY (${roles}::text[]) ${pattern('current_database()::text')} ELSE word = current_database()`)})`;
}

export interface ShutOut {
  /** The line lets the new role in now, and no more once the old one is dropped: no trial can show that. */
  readonly afterDrop: readonly number[];
  /** The new role would be refused at once where this line lets the old one in. */
  readonly atOnce: readonly number[];
}

/** Of the lines that decide about the old role, those after whose place no line decides in the same way about the new one. */
export function shutOut(rules: readonly HbaRule[]): ShutOut {
  const decisive = rules.filter(
    (rule, at) =>
      rule.matches.old &&
      rule.method !== 'reject' &&
      !rules.slice(0, at).some((before) => before.matches.old && covers(before, rule)),
  );
  const refused = (rule: HbaRule, when: 'overlap' | 'after'): boolean => {
    const decides = rules.find((other) => other.matches[when] && covers(other, rule));
    return decides === undefined || decides.method === 'reject';
  };
  const atOnce = decisive.filter((rule) => refused(rule, 'overlap'));
  const afterDrop = decisive.filter((rule) => !atOnce.includes(rule) && refused(rule, 'after'));
  return { atOnce: atOnce.map(({ line }) => line), afterDrop: afterDrop.map(({ line }) => line) };
}

/** Every connection that `inner` is about, `outer` is about too. Overlapping networks are not compared: then it is said to a person. */
function covers(outer: HbaRule, inner: HbaRule): boolean {
  const types = outer.type === inner.type || (outer.type === 'host' && inner.type !== 'local');
  const everywhere = outer.address === 'all' || /^(?:0\.0\.0\.0|::)$/.test(outer.netmask ?? '');
  return types && (everywhere || (outer.address === inner.address && outer.netmask === inner.netmask));
}
