/** Whether the administrator may do all that a swap needs, and no more; and whether its connection is what it should be. */
import type pg from 'pg';
import { KeyturnError } from '../../domain/errors.js';
import type { Strategy } from '../../domain/specs/swap.js';
import { oneLine } from '../../processes/safe-text.js';
import { PRIMARY, type Server } from '../server.js';
import { isPooled } from './pooler.js';

export interface AdministratorNeeds {
  readonly strategy: Strategy;
  /** The role in use. */
  readonly role: string;
  /** Strategy `group`: the role that holds the rights; null: the role in use becomes it. */
  readonly group: string | null;
}

export interface Problem {
  readonly message: string;
  /** What to do about it, in the imperative. */
  readonly hint: string;
}

export interface Assessment {
  /** Each of them stops the run before anything is changed. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

/**
 * Asks every node; changes nothing. A replica that cannot be reached is a problem like the others.
 * @throws KeyturnError as Server when the primary cannot be reached, or does not accept the administrator.
 */
export async function assessAdministrator(server: Server, needs: AdministratorNeeds): Promise<Assessment> {
  const primary = await server.asAdministrator(async (client) => ({
    connection: await connectionOf(client),
    administrator: await administratorOf(client),
    roles: await rolesOf(client, needs),
  }));
  const replicas = await Promise.all(
    server.nodes
      .filter((node) => node !== PRIMARY)
      .map((node) => replicaProblems(server, node, primary.connection.system)),
  );
  const problems = [
    ...connectionProblems(PRIMARY, primary.connection),
    ...(primary.connection.recovering ? [NOT_PRIMARY] : []),
    ...monitoringProblems(PRIMARY, primary.administrator),
    ...roleProblems(primary.administrator, primary.roles, needs),
    ...replicas.flat(),
  ];
  return { problems, warnings: excess(primary.administrator) };
}

const NOT_PRIMARY: Problem = {
  message: "the administrator's URL leads to a replica (it is in recovery)",
  hint: 'point it at the primary; replicas belong under "nodes"',
};

interface Connection {
  readonly recovering: boolean;
  /** Two servers of one replication have the same. */
  readonly system: string;
  readonly pooled: boolean;
}

async function connectionOf(client: pg.Client): Promise<Connection> {
  const { rows } = await client.query<{ recovering: boolean; system: string; pid: number }>(
    `SELECT pg_is_in_recovery() AS recovering, system_identifier::text AS system, pg_backend_pid() AS pid
       FROM pg_control_system()`,
  );
  const { recovering = false, system = '', pid = 0 } = rows[0] ?? {};
  return { recovering, system, pooled: isPooled(client, pid) };
}

function connectionProblems(node: string, { pooled }: Connection): Problem[] {
  if (!pooled) return [];
  return [
    {
      message: `the connection to ${node} goes through a pooler`,
      hint: "give PostgreSQL's own host and port: a pooler hides who is connected, keeps old sessions and may ignore NOLOGIN",
    },
  ];
}

async function replicaProblems(server: Server, node: string, system: string): Promise<Problem[]> {
  try {
    return await server.asAdministrator(
      async (client) => {
        const connection = await connectionOf(client);
        const problems = connectionProblems(node, connection);
        if (connection.system !== system) {
          problems.push({
            message: `node ${node} belongs to another cluster than the primary`,
            hint: 'correct its host and port in the inventory: an old role would be proven gone in the wrong place',
          });
        } else if (!connection.recovering) {
          problems.push({
            message: `node ${node} is not a replica (it is not in recovery)`,
            hint: 'list replicas only: the primary is looked at in any case; after a failover, correct the inventory',
          });
        }
        return [...problems, ...monitoringProblems(node, await administratorOf(client))];
      },
      { node },
    );
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return [
      {
        message: error.message,
        hint: error.hint ?? `see that node ${node} runs and lets the administrator in, or take it out of the inventory`,
      },
    ];
  }
}

interface Administrator {
  readonly name: string;
  readonly version: number;
  readonly superuser: boolean;
  readonly createRole: boolean;
  readonly replication: boolean;
  readonly bypassRls: boolean;
  readonly signals: boolean;
  readonly readsStats: boolean;
  /** Predefined roles that let it leave the database. */
  readonly dangerous: readonly string[];
}

async function administratorOf(client: pg.Client): Promise<Administrator> {
  const { rows } = await client.query<Administrator>(
    `SELECT rolname AS name, current_setting('server_version_num')::int AS version, rolsuper AS superuser,
            rolcreaterole AS "createRole", rolreplication AS replication, rolbypassrls AS "bypassRls",
            pg_has_role('pg_signal_backend', 'USAGE') AS signals, pg_has_role('pg_read_all_stats', 'USAGE') AS "readsStats",
            ARRAY(SELECT p.rolname::text FROM pg_roles p WHERE pg_has_role(p.oid, 'MEMBER')
                     AND p.rolname IN ('pg_execute_server_program', 'pg_write_server_files') ORDER BY 1) AS dangerous
       FROM pg_roles WHERE rolname = current_user`,
  );
  const [row] = rows;
  if (!row) throw new KeyturnError('query-failed', 'the server does not know the role that the administrator runs as');
  return row;
}

function monitoringProblems(node: string, { name, signals, readsStats }: Administrator): Problem[] {
  const problems: Problem[] = [];
  if (!signals) {
    problems.push({
      message: `${name} may not end sessions on ${node}`,
      hint: `GRANT pg_signal_backend TO ${name}`,
    });
  }
  if (!readsStats) {
    problems.push({
      message: `${name} does not see on ${node} who is connected from where`,
      hint: `GRANT pg_read_all_stats TO ${name}`,
    });
  }
  return problems;
}

interface KnownRole {
  readonly name: string;
  readonly superuser: boolean;
  readonly replication: boolean;
  readonly bypassRls: boolean;
  /** Of the administrator on this role. */
  readonly adminOption: boolean;
}

async function rolesOf(client: pg.Client, { role, group }: AdministratorNeeds): Promise<KnownRole[]> {
  const { rows } = await client.query<KnownRole>(
    `SELECT rolname AS name, rolsuper AS superuser, rolreplication AS replication, rolbypassrls AS "bypassRls",
            pg_has_role(oid, 'MEMBER WITH ADMIN OPTION') AS "adminOption"
       FROM pg_roles WHERE rolname = ANY($1)`,
    [[role, ...(group === null ? [] : [group])]],
  );
  return rows;
}

/** From PostgreSQL 16 on CREATEROLE alone is no right over roles that somebody else has created. */
const ADMIN_OPTION_SINCE = 160_000;

function roleProblems(administrator: Administrator, roles: readonly KnownRole[], needs: AdministratorNeeds): Problem[] {
  const { name, superuser, createRole, version } = administrator;
  const problems: Problem[] = [];
  if (needs.role === name) {
    problems.push({
      message: `the administrator signs in as ${name}, the very role that is to be replaced`,
      hint: 'give Keyturn a role of its own, with CREATEROLE, pg_signal_backend and pg_read_all_stats',
    });
  }
  if (!superuser && !createRole) {
    problems.push({ message: `${name} may not create or change roles`, hint: `ALTER ROLE ${name} CREATEROLE` });
  }
  const wanted = needs.strategy === 'group' && needs.group !== null ? [needs.role, needs.group] : [needs.role];
  for (const wantedName of wanted) {
    const role = roles.find((each) => each.name === wantedName);
    if (!role) {
      const isGroup = wantedName !== needs.role;
      problems.push({
        message: `there is no role ${wantedName}`,
        hint: isGroup ? `CREATE ROLE ${wantedName} NOLOGIN, and give it the rights` : 'correct the stored credential',
      });
      continue;
    }
    if (superuser || wantedName === name) continue;
    if (version >= ADMIN_OPTION_SINCE && !role.adminOption) {
      problems.push({
        message: `${name} has no ADMIN OPTION on ${wantedName}`,
        hint: `GRANT ${wantedName} TO ${name} WITH ADMIN OPTION`,
      });
    }
    problems.push(...attributeProblems(administrator, role, needs.strategy));
  }
  return problems;
}

/** Nobody may change a role that is above themselves, or give what they do not have. */
function attributeProblems(administrator: Administrator, role: KnownRole, strategy: Strategy): Problem[] {
  const { name, version, replication, bypassRls } = administrator;
  const over = (what: string, hint: string): Problem => ({
    message: `${role.name} ${what}, and ${name} may not change or copy such a role`,
    hint,
  });
  if (role.superuser) return [over('is a superuser', 'take SUPERUSER from it, which no application needs')];
  const problems: Problem[] = [];
  const old = version < ADMIN_OPTION_SINCE;
  // The new role gets the attributes too; the old one keeps them under `same-role`.
  const gives = strategy !== 'same-role';
  if (role.replication && (old || (gives && !replication))) {
    problems.push(over('has REPLICATION', 'take REPLICATION from it, or let a superuser administer it'));
  }
  if (role.bypassRls && gives && (old || !bypassRls)) {
    problems.push(over('has BYPASSRLS', 'take BYPASSRLS from it, or let a superuser administer it'));
  }
  return problems;
}

function excess({ name, superuser, dangerous }: Administrator): string[] {
  if (superuser) {
    return [
      `${name} is a superuser, more than a swap needs: CREATEROLE, pg_signal_backend, pg_read_all_stats and ADMIN OPTION on the role are enough`,
    ];
  }
  return dangerous.map((each) => oneLine(`${name} is a member of ${each}, which a swap does not need`));
}
