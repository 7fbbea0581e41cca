/** Other roles for an example system to sign in as. */
import { randomBytes } from 'node:crypto';
import { createApplicationRole } from '../../../src/demo/systems/application-role.js';
import type { ExampleSystem } from '../../../src/demo/systems.js';
import { SecretValue } from '../../../src/domain/secret-value.js';
import { dropRoleAfterwards } from '../../support/servers.js';
import { query, readSetting, variable } from './running-system.js';

interface Role {
  readonly name: string;
  /** The system's DATABASE_URL with this role and its password. */
  readonly url: string;
}

/** Works as the owner from its login on, and so makes what belongs to the owner. Gone at the end of the file. */
export async function memberRole(system: ExampleSystem, suffix: string): Promise<Role> {
  const role = await loginRole(system, suffix);
  await query(system, `GRANT ${system.role} TO ${role.name}`);
  await query(system, `ALTER ROLE ${role.name} SET role = '${system.role}'`);
  return role;
}

/** May use everything that there is now, and owns nothing. Gone at the end of the file. */
export async function userRole(system: ExampleSystem, suffix: string): Promise<Role> {
  const role = await loginRole(system, suffix);
  await query(system, `GRANT ALL ON SCHEMA public TO ${role.name}`);
  await query(system, `GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role.name}`);
  return role;
}

async function loginRole(system: ExampleSystem, suffix: string): Promise<Role> {
  const name = `${system.role}_${suffix}`;
  dropRoleAfterwards(name);
  const password = new SecretValue(randomBytes(32).toString('hex'));
  const admin = variable(system, '_ADMIN_URL');
  await createApplicationRole(admin, name, password);
  // It has made the role the database's owner, as a first one is.
  const database = decodeURIComponent(new URL(admin).pathname.slice(1));
  await query(system, `ALTER DATABASE ${database} OWNER TO ${system.role}`);
  const url = new URL(readSetting(system, 'DATABASE_URL'));
  [url.username, url.password] = [name, password.reveal()];
  return { name, url: url.href };
}
