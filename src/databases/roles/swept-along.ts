/** What DROP OWNED would drop, as the catalogue's own numbers: objects the role owns, and policies for it alone. */
import type { Session } from './session.js';

export interface CatalogueEntry {
  /** OID of the catalogue; in an object's dependencies `classid`. */
  readonly catalogue: string;
  readonly oid: string;
}

/**
 * In this database, as committed. Not its default privileges and user mappings, which are to go. Waits for no lock but those of catalogues.
 */
export async function mayGoWith(session: Session, role: string): Promise<CatalogueEntry[]> {
  const { rows } = await session.client.query<CatalogueEntry>(
    `SELECT s.classid::text AS catalogue, s.objid::text AS oid FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
      WHERE r.rolname = $1 AND s.refclassid = 'pg_authid'::regclass
        AND s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND (s.deptype = 'o' AND s.classid NOT IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)
             OR s.deptype = 'r' AND s.classid = 'pg_policy'::regclass)`,
    [role],
  );
  return rows;
}

/** Whether each of them is there, as our own transaction sees it. */
export async function stillHere(session: Session, entries: readonly CatalogueEntry[]): Promise<boolean> {
  const { rows } = await session.client.query<{ gone: boolean }>(
    `SELECT EXISTS (SELECT FROM unnest($1::oid[], $2::oid[]) e (catalogue, oid)
                     WHERE pg_describe_object(e.catalogue, e.oid, 0) IS NULL) AS gone`,
    [entries.map(({ catalogue }) => catalogue), entries.map(({ oid }) => oid)],
  );
  return rows[0]?.gone === false;
}
