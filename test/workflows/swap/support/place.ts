/** One environment of a system: a database with its roles, an .env, and the application that reads it. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { id, run, urlAs } from '../../../databases/roles/support/world.js';
import { Application } from './application.js';
import type { Databases, LentDatabase } from '../../support/databases.js';

export type Origin = 'own rights' | 'member of a group';

export interface Place {
  /** Every role of it begins with this, and nothing else does. */
  readonly mark: string;
  readonly database: LentDatabase;
  readonly directory: string;
  readonly envFile: string;
  /** The .env as it was at first. */
  readonly env: string;
  readonly old: { readonly user: string; readonly password: string; readonly url: string };
  readonly roles: { readonly owner: string; readonly third: string; readonly group: string };
  readonly application: Application;
  remove(): Promise<void>;
}

let opened = 0;

/** @param origin whether the role in use has its rights itself, or (second generation) works as a group. */
export async function openPlace(databases: Databases, directory: string, origin: Origin): Promise<Place> {
  opened += 1;
  const mark = `place${opened}`;
  const database = await databases.lend();
  await mkdir(directory);
  const envFile = join(directory, '.env');
  const user = `${mark}_old`;
  const password = randomBytes(24).toString('hex');
  const url = urlAs(database.url, user, password);
  const roles = { owner: `${mark}_owner`, third: `${mark}_third`, group: `${mark}_group` };
  await run(database.url, statements({ user, password, roles, database: database.name, origin }));
  const env = `# the shop\nPORT=8080\n\nDATABASE_URL=${url}\nexport OTHER='kept as it is' # to the byte\nLAST=1`;
  await writeFile(envFile, env);
  await chmod(envFile, 0o640);
  const application = await Application.start(envFile);
  return {
    mark,
    database,
    directory,
    envFile,
    env,
    old: { user, password, url },
    roles,
    application,
    remove: async () => {
      await application.stop();
      const made = await run(database.url, `SELECT rolname FROM pg_roles WHERE rolname LIKE '${mark}\\_%'`);
      await run(database.url, 'DROP SCHEMA app CASCADE');
      for (const { rolname } of made) await run(database.url, `DROP OWNED BY ${id(String(rolname))}`);
      for (const { rolname } of made) await run(database.url, `DROP ROLE ${id(String(rolname))}`);
      databases.takeBack(database);
    },
  };
}

/** Something of everything that a step of a swap could lose. */
function statements({
  user,
  password,
  roles,
  database,
  origin,
}: {
  user: string;
  password: string;
  roles: Place['roles'];
  database: string;
  origin: Origin;
}): string {
  const [old, owner, third, group] = [user, roles.owner, roles.third, roles.group].map(id);
  const holder = origin === 'own rights' ? old : group;
  const login = `CREATE ROLE ${old} LOGIN PASSWORD '${password}' CONNECTION LIMIT 20`;
  return `${
    origin === 'own rights'
      ? `${login};`
      : `CREATE ROLE ${holder} NOLOGIN; ${login} IN ROLE ${holder}; ALTER ROLE ${old} SET role = '${roles.group}';`
  }
    CREATE ROLE ${owner}; CREATE ROLE ${third};
    ALTER ROLE ${old} SET my_app.tenant TO 'a,b''c';
    ALTER ROLE ${old} IN DATABASE ${id(database)} SET statement_timeout TO '60s';
    GRANT ${third} TO ${holder};
    CREATE SCHEMA app AUTHORIZATION ${owner};
    GRANT USAGE, CREATE ON SCHEMA app TO ${holder}; GRANT USAGE ON SCHEMA app TO ${third};
    SET ROLE ${owner};
    CREATE TABLE app.work (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
    CREATE TABLE app.orders (id serial PRIMARY KEY, total int, note text);
    CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION app.f FROM PUBLIC;
    GRANT SELECT, INSERT ON app.work TO ${holder};
    GRANT SELECT ON app.orders TO ${holder} WITH GRANT OPTION;
    GRANT INSERT (total, note), UPDATE (note) ON app.orders TO ${holder};
    GRANT USAGE ON SEQUENCE app.orders_id_seq TO ${holder}; GRANT EXECUTE ON FUNCTION app.f TO ${holder};
    ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO ${holder};
    ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mine ON app.orders TO ${holder} USING (total > 0) WITH CHECK (true);
    RESET ROLE; SET ROLE ${holder};
    CREATE TABLE app.own (id int); INSERT INTO app.own VALUES (1); GRANT SELECT ON app.own TO ${third};
    ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO ${third};
    RESET ROLE;`;
}
