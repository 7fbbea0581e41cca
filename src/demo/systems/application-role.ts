/** The PostgreSQL role that an example application signs in as: owner of its database, nothing more. */
import pg from 'pg';
import { scramVerifier } from '../../databases/access/scram.js';
import type { SecretValue } from '../../domain/secret-value.js';

/** Idempotent: an existing role of this name gets the password. @param adminUrl of the database that it will own. */
export async function createApplicationRole(adminUrl: string, role: string, password: SecretValue): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const name = pg.escapeIdentifier(role);
    const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
    // A verifier, computed here: the statement may be logged, the password must not be.
    const verifier = pg.escapeLiteral(scramVerifier(password, role));
    await client.query(`${rowCount === 0 ? 'CREATE' : 'ALTER'} ROLE ${name} LOGIN PASSWORD ${verifier}`);
    const database = pg.escapeIdentifier(decodeURIComponent(new URL(adminUrl).pathname.slice(1)));
    await client.query(`ALTER DATABASE ${database} OWNER TO ${name}`);
  } finally {
    await client.end();
  }
}
