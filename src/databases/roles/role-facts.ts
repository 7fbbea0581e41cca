/** A role's row in the catalogue. */
import { KeyturnError } from '../../domain/errors.js';
import type { Session } from './session.js';

export interface RoleRow {
  readonly oid: number;
  readonly name: string;
  readonly canLogin: boolean;
  readonly superuser: boolean;
  readonly inherit: boolean;
  readonly createRole: boolean;
  readonly createDatabase: boolean;
  readonly replication: boolean;
  readonly bypassRls: boolean;
  readonly connectionLimit: number;
  /** As the server writes it; null: for ever. */
  readonly validUntil: string | null;
  readonly comment: string | null;
}

export async function findRole(session: Session, name: string): Promise<RoleRow | null> {
  const { rows } = await session.client.query<RoleRow>(
    `SELECT oid::int8::float8 AS oid, rolname AS name, rolcanlogin AS "canLogin", rolsuper AS superuser, rolinherit AS inherit,
            rolcreaterole AS "createRole", rolcreatedb AS "createDatabase", rolreplication AS replication,
            rolbypassrls AS "bypassRls", rolconnlimit AS "connectionLimit",
            nullif(rolvaliduntil, 'infinity')::text AS "validUntil", shobj_description(oid, 'pg_authid') AS comment
       FROM pg_roles WHERE rolname = $1`,
    [name],
  );
  return rows[0] ?? null;
}

/** @throws KeyturnError `unknown-role` */
export async function needRole(session: Session, name: string): Promise<RoleRow> {
  const role = await findRole(session, name);
  if (!role) throw new KeyturnError('unknown-role', `there is no role ${name} on the server`);
  return role;
}
