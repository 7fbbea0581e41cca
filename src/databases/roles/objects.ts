/**
 * Everything in a database, or shared by the cluster, that has an owner and a list of grants: one SELECT, so that grants,
 * ownership and effective rights are each read with one statement for thousands of objects.
 */

export type ObjectKind =
  | 'SCHEMA'
  | 'TABLE'
  | 'COLUMN'
  | 'SEQUENCE'
  | 'ROUTINE'
  | 'TYPE'
  | 'LANGUAGE'
  | 'LARGE OBJECT'
  | 'FOREIGN DATA WRAPPER'
  | 'FOREIGN SERVER'
  | 'DATABASE'
  | 'TABLESPACE'
  | 'PARAMETER';

/** What can be granted on each, and the first version that has it. */
const PRIVILEGES: readonly (readonly [ObjectKind, string, number?])[] = [
  ...['CREATE', 'USAGE'].map((name) => ['SCHEMA', name] as const),
  ...['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'].map(
    (name) => ['TABLE', name] as const,
  ),
  ['TABLE', 'MAINTAIN', 170_000],
  ...['SELECT', 'INSERT', 'UPDATE', 'REFERENCES'].map((name) => ['COLUMN', name] as const),
  ...['USAGE', 'SELECT', 'UPDATE'].map((name) => ['SEQUENCE', name] as const),
  ['ROUTINE', 'EXECUTE'],
  ['TYPE', 'USAGE'],
  ['LANGUAGE', 'USAGE'],
  ...['SELECT', 'UPDATE'].map((name) => ['LARGE OBJECT', name] as const),
  ['FOREIGN DATA WRAPPER', 'USAGE'],
  ['FOREIGN SERVER', 'USAGE'],
  ...['CREATE', 'CONNECT', 'TEMPORARY'].map((name) => ['DATABASE', name] as const),
  ['TABLESPACE', 'CREATE'],
  ...['SET', 'ALTER SYSTEM'].map((name) => ['PARAMETER', name, 150_000] as const),
];

/** SQL rows (kind, privilege) of what this version knows. */
export function privilegeRows(version: number): string {
  return PRIVILEGES.filter(([, , since = 0]) => version >= since)
    .map(([kind, name]) => `('${kind}', '${name}')`)
    .join(', ');
}

/** SELECT of (kind, oid, sub, target, col, owner, schema, acl); acl is never null. `target` and `col` are ready for GRANT. */
export function objectsIn(scope: 'database' | 'cluster', version: number): string {
  return (scope === 'database' ? LOCAL : version >= 150_000 ? [...SHARED, PARAMETERS] : SHARED).join('\nUNION ALL\n');
}

/**
 * In the system's schemas only what somebody granted something on: thousands of functions there have no list, which means
 * "the owner and everybody".
 */
const shown = (acl: string): string =>
  `n.nspname !~ '^pg_(toast|temp_)' AND (${acl} IS NOT NULL OR n.nspname NOT IN ('pg_catalog', 'information_schema'))`;

const LOCAL = [
  `SELECT 'SCHEMA' AS kind, n.oid, 0 AS sub, format('%I', n.nspname) AS target, NULL::text AS col, n.nspowner AS owner,
          NULL::oid AS schema, coalesce(n.nspacl, acldefault('n', n.nspowner)) AS acl
     FROM pg_namespace n WHERE n.nspname !~ '^pg_(toast|temp_)'`,
  `SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid, 0, format('%I.%I', n.nspname, c.relname), NULL, c.relowner,
          n.oid, coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${shown('c.relacl')}`,
  // A column without a list of its own has exactly its table's rights.
  `SELECT 'COLUMN', c.oid, a.attnum::int, format('%I.%I', n.nspname, c.relname), format('%I', a.attname), c.relowner, n.oid, a.attacl
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND n.nspname !~ '^pg_(toast|temp_)'`,
  `SELECT 'ROUTINE', p.oid, 0, p.oid::regprocedure::text, NULL, p.proowner, n.oid, coalesce(p.proacl, acldefault('f', p.proowner))
     FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${shown('p.proacl')}`,
  // Array types have their element's rights, row types of tables are left out until somebody grants on one.
  `SELECT 'TYPE', t.oid, 0, format('%I.%I', n.nspname, t.typname), NULL, t.typowner, n.oid, coalesce(t.typacl, acldefault('T', t.typowner))
     FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE NOT (t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A')
      AND (t.typacl IS NOT NULL OR c.oid IS NULL OR c.relkind = 'c') AND ${shown('t.typacl')}`,
  `SELECT 'LANGUAGE', l.oid, 0, format('%I', l.lanname), NULL, l.lanowner, NULL, coalesce(l.lanacl, acldefault('l', l.lanowner))
     FROM pg_language l WHERE l.lanpltrusted`,
  `SELECT 'LARGE OBJECT', o.oid, 0, o.oid::text, NULL, o.lomowner, NULL, coalesce(o.lomacl, acldefault('L', o.lomowner))
     FROM pg_largeobject_metadata o`,
  `SELECT 'FOREIGN DATA WRAPPER', f.oid, 0, format('%I', f.fdwname), NULL, f.fdwowner, NULL, coalesce(f.fdwacl, acldefault('F', f.fdwowner))
     FROM pg_foreign_data_wrapper f`,
  `SELECT 'FOREIGN SERVER', s.oid, 0, format('%I', s.srvname), NULL, s.srvowner, NULL, coalesce(s.srvacl, acldefault('S', s.srvowner))
     FROM pg_foreign_server s`,
];

const SHARED = [
  `SELECT 'DATABASE' AS kind, d.oid, 0 AS sub, format('%I', d.datname) AS target, NULL::text AS col, d.datdba AS owner,
          NULL::oid AS schema, coalesce(d.datacl, acldefault('d', d.datdba)) AS acl FROM pg_database d`,
  `SELECT 'TABLESPACE', t.oid, 0, format('%I', t.spcname), NULL, t.spcowner, NULL, coalesce(t.spcacl, acldefault('t', t.spcowner))
     FROM pg_tablespace t`,
];

const PARAMETERS = `SELECT 'PARAMETER', p.oid, 0,
          array_to_string(ARRAY(SELECT quote_ident(part) FROM unnest(string_to_array(p.parname, '.')) part), '.'), NULL,
          10::oid, NULL, coalesce(p.paracl, '{}') FROM pg_parameter_acl p`;

/** `TABLE public.orders`, and for a column `COLUMN public.orders.total`, as people write it: in small letters. */
export function inWords({ kind, target, col }: { kind: ObjectKind; target: string; col: string | null }): string {
  return `${kind.toLowerCase()} ${target}${col === null ? '' : `.${col}`}`;
}
