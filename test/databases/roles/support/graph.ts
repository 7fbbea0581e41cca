/** A random world for one role: who owns what, who was granted what by whom, in which roles, with which defaults, settings, policies. */
import { randomFrom, type Random } from '../../../support/random.js';
import { id } from './world.js';

export interface Graph {
  readonly old: string;
  readonly thirds: readonly string[];
  readonly schemas: readonly string[];
  /** Run once, as the administrator, in any database. */
  readonly cluster: readonly string[];
  /** Run in each of the two databases. Some fail (a circular membership, a grant without the option): that is as random as the rest. */
  readonly databases: readonly (readonly string[])[];
  /** The administrator's way back. */
  readonly cleanUp: readonly string[];
}

export class Dice {
  constructor(private readonly random: Random) {}
  chance(p: number): boolean {
    return this.random() < p;
  }
  count(from: number, to: number): number {
    return from + Math.floor(this.random() * (to - from + 1));
  }
  one<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)]!;
  }
  some<T>(list: readonly T[], p = 0.5): T[] {
    const chosen = list.filter(() => this.chance(p));
    return chosen.length > 0 ? chosen : [this.one(list)];
  }
}

export const TABLES = ['t0', 't1'];
const TABLE_RIGHTS = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'];

export function randomGraph(seed: number, name: string, databases: readonly string[], version: number): Graph {
  const dice = new Dice(randomFrom(seed));
  const old = `${name}_old`;
  const thirds = [0, 1, 2].map((n) => `${name}_third${n}`);
  const schemas = [0, 1, 2].map((n) => `${name}_s${n}`);
  const everybody = [old, ...thirds];
  const cluster = [
    ...thirds.map((role) => `CREATE ROLE ${id(role)}`),
    `CREATE ROLE ${id(old)} LOGIN PASSWORD 'old' ${attributes(dice)}`,
    ...memberships(dice, old, thirds, version),
    ...settings(dice, old, thirds, databases, schemas),
    ...databases.flatMap((database) =>
      dice.chance(0.5)
        ? [
            `GRANT ${dice.some(['CREATE', 'TEMPORARY']).join(', ')} ON DATABASE ${id(database)} TO ${id(dice.one(everybody))}${option(dice)}`,
          ]
        : [],
    ),
    ...(version >= 150_000 && dice.chance(0.3)
      ? [`GRANT SET ON PARAMETER log_min_duration_statement TO ${id(dice.one(everybody))}${option(dice)}`]
      : []),
  ];
  return {
    ...{ old, thirds, schemas, cluster },
    databases: databases.map(() =>
      schemas
        .flatMap((schema) => schemaStatements(dice, schema, old, thirds))
        .concat(largeObject(dice, everybody), globalDefaults(dice, old, thirds)),
    ),
    cleanUp: [
      ...(version >= 150_000
        ? everybody.map((role) => `REVOKE ALL ON PARAMETER log_min_duration_statement FROM ${id(role)} CASCADE`)
        : []),
    ],
  };
}

const option = (dice: Dice): string => (dice.chance(0.35) ? ' WITH GRANT OPTION' : '');

function attributes(dice: Dice): string {
  return [
    dice.chance(0.3) ? 'CREATEDB' : '',
    dice.chance(0.2) ? 'CREATEROLE' : '',
    dice.chance(0.1) ? 'BYPASSRLS' : '',
    dice.chance(0.3) ? `CONNECTION LIMIT ${dice.count(5, 20)}` : '',
    dice.chance(0.3) ? `VALID UNTIL '2040-01-0${dice.count(1, 9)} 12:00:00+02'` : '',
  ].join(' ');
}

function memberships(dice: Dice, old: string, thirds: readonly string[], version: number): string[] {
  const options = (): string => {
    if (version < 160_000) return dice.chance(0.3) ? ' WITH ADMIN OPTION' : '';
    return ` WITH ADMIN ${dice.chance(0.3)}, INHERIT ${dice.chance(0.7)}, SET ${dice.chance(0.7)}`;
  };
  const edges: string[] = [];
  for (const role of thirds) {
    if (dice.chance(0.35)) edges.push(`GRANT ${id(role)} TO ${id(old)}${options()}`);
    else if (dice.chance(0.2)) edges.push(`GRANT ${id(old)} TO ${id(role)}${options()}`);
    if (dice.chance(0.2)) edges.push(`GRANT ${id(role)} TO ${id(dice.one(thirds))}${options()}`);
    if (version >= 160_000 && dice.chance(0.2))
      edges.push(`GRANT ${id(role)} TO ${id(dice.one(thirds))} GRANTED BY ${id(old)}`);
  }
  return edges;
}

function settings(
  dice: Dice,
  old: string,
  thirds: readonly string[],
  databases: readonly string[],
  schemas: readonly string[],
): string[] {
  const where = (): string => (dice.chance(0.5) ? '' : ` IN DATABASE ${id(dice.one(databases))}`);
  const choices = [
    `SET search_path TO ${[...dice.some(schemas), '$user', 'public'].map(id).join(', ')}`,
    `SET search_path TO ''`,
    `SET work_mem TO '${dice.count(1, 9)}MB'`,
    `SET statement_timeout TO '${dice.count(100, 200)}s'`,
    `SET my_app.tenant TO 'it''s; "a", \\b'`,
    `SET "TimeZone" TO 'Europe/Berlin'`,
    `SET "DateStyle" TO 'SQL, DMY'`,
    `SET role TO ${id(dice.one(thirds))}`,
  ];
  return dice.some(choices, 0.2).map((choice) => `ALTER ROLE ${id(old)}${where()} ${choice}`);
}

function schemaStatements(dice: Dice, schema: string, old: string, thirds: readonly string[]): string[] {
  const everybody = [old, ...thirds];
  const grantees = (): string => dice.some([...everybody.map(id), id(old), 'PUBLIC'], 0.3).join(', ');
  const s = id(schema);
  const owner = dice.one(everybody);
  const statements = [
    `CREATE SCHEMA ${s} AUTHORIZATION ${id(owner)}`,
    `GRANT ${dice.some(['USAGE', 'CREATE'], 0.7).join(', ')} ON SCHEMA ${s} TO ${grantees()}`,
    ...(dice.chance(0.7) ? [`GRANT USAGE ON SCHEMA ${s} TO ${id(old)}${option(dice)}`] : []),
  ];
  for (const table of TABLES) {
    const t = `${s}.${table}`;
    const holder = dice.one([...everybody, old]);
    statements.push(
      `CREATE TABLE ${t} (a serial, b int DEFAULT 1, c text)`,
      `INSERT INTO ${t} (b, c) SELECT g, 'x' FROM generate_series(1, 4) g`,
      `ALTER TABLE ${t} OWNER TO ${id(holder)}`,
    );
    const grants: string[] = [];
    for (let n = dice.count(0, 2); n > 0; n--)
      grants.push(`GRANT ${dice.some(TABLE_RIGHTS, 0.3).join(', ')} ON ${t} TO ${grantees()}`);
    if (dice.chance(0.5))
      grants.push(
        `GRANT ${dice.some(TABLE_RIGHTS, 0.3).join(', ')} ON ${t} TO ${id(dice.one(everybody))} WITH GRANT OPTION`,
      );
    if (dice.chance(0.4))
      grants.push(
        `GRANT ${dice.one(['SELECT', 'INSERT', 'UPDATE'])} (${dice.some(['a', 'b', 'c']).join(', ')}) ON ${t} TO ${id(dice.one([old, ...thirds]))}${option(dice)}`,
      );
    if (dice.chance(0.4))
      grants.push(`GRANT ${dice.one(['USAGE', 'SELECT', 'UPDATE'])} ON SEQUENCE ${s}.${table}_a_seq TO ${grantees()}`);
    if (dice.chance(0.15)) grants.push(`REVOKE INSERT ON ${t} FROM ${id(holder)}`);
    statements.push(...grants.map((grant) => `SET LOCAL ROLE ${id(holder)}; ${grant}; RESET ROLE`));
    // Grants of grants: by whom it was granted matters when that one goes.
    for (let n = dice.count(0, 2); n > 0; n--) {
      const grantor = dice.one(everybody);
      statements.push(
        `SET LOCAL ROLE ${id(grantor)}; GRANT ${dice.one(TABLE_RIGHTS)} ON ${t} TO ${id(dice.one(everybody))}${option(dice)}; RESET ROLE`,
      );
    }
    if (dice.chance(0.4)) {
      statements.push(
        `ALTER TABLE ${t} ENABLE ROW LEVEL SECURITY`,
        ...(dice.chance(0.3) ? [`ALTER TABLE ${t} FORCE ROW LEVEL SECURITY`] : []),
        `CREATE POLICY p0 ON ${t} ${dice.chance(0.3) ? 'AS RESTRICTIVE' : ''} TO ${grantees()} USING (b > ${dice.count(0, 3)}) WITH CHECK (b < 9)`,
        `CREATE POLICY p1 ON ${t} FOR SELECT TO ${grantees()} USING (b < ${dice.count(2, 5)})`,
      );
    }
  }
  statements.push(
    `CREATE VIEW ${s}.v AS SELECT a, b FROM ${s}.t0`,
    `ALTER VIEW ${s}.v OWNER TO ${id(dice.one(everybody))}`,
    `CREATE FUNCTION ${s}.f(int, text DEFAULT 'x') RETURNS int LANGUAGE sql ${dice.chance(0.5) ? 'SECURITY DEFINER' : ''} AS 'SELECT count(*)::int FROM ${s}.t1'`,
    `ALTER FUNCTION ${s}.f(int, text) OWNER TO ${id(dice.one(everybody))}`,
    `CREATE PROCEDURE ${s}.p(int) LANGUAGE plpgsql AS 'BEGIN NULL; END'`,
    `CREATE DOMAIN ${s}.d AS int CHECK (VALUE > 0)`,
    `ALTER DOMAIN ${s}.d OWNER TO ${id(dice.one(everybody))}`,
  );
  for (const [object, rights] of <const>[
    [`TABLE ${s}.v`, 'SELECT'],
    [`FUNCTION ${s}.f(int, text)`, 'EXECUTE'],
    [`PROCEDURE ${s}.p(int)`, 'EXECUTE'],
    [`DOMAIN ${s}.d`, 'USAGE'],
  ]) {
    if (dice.chance(0.4)) statements.push(`REVOKE ALL ON ${object} FROM PUBLIC`);
    if (dice.chance(0.6)) statements.push(`GRANT ${rights} ON ${object} TO ${id(dice.one(everybody))}${option(dice)}`);
  }
  if (dice.chance(0.6)) statements.push(defaults(dice, old, thirds, ` IN SCHEMA ${s}`));
  return statements;
}

function globalDefaults(dice: Dice, old: string, thirds: readonly string[]): string[] {
  return dice.chance(0.5) ? [defaults(dice, old, thirds, ''), defaults(dice, old, thirds, '')] : [];
}

function defaults(dice: Dice, old: string, thirds: readonly string[], where: string): string {
  const [rights, objects] = dice.one<readonly [string, string]>([
    [dice.some(TABLE_RIGHTS, 0.3).join(', '), 'TABLES'],
    ['USAGE', 'SEQUENCES'],
    ['EXECUTE', 'FUNCTIONS'],
    ['USAGE', 'TYPES'],
  ]);
  const creator = dice.one([old, old, ...thirds]);
  const other = dice.one([...[old, ...thirds].map(id), 'PUBLIC']);
  const prefix = `ALTER DEFAULT PRIVILEGES FOR ROLE ${id(creator)}${where}`;
  if (where === '' && dice.chance(0.4)) {
    return `${prefix} REVOKE ${rights} ON ${objects} FROM ${dice.chance(0.5) ? 'PUBLIC' : id(creator)}`;
  }
  return `${prefix} GRANT ${rights} ON ${objects} TO ${other}${other === 'PUBLIC' ? '' : option(dice)}`;
}

function largeObject(dice: Dice, everybody: readonly string[]): string[] {
  if (!dice.chance(0.4)) return [];
  return [
    'SELECT lo_create(4711)',
    `ALTER LARGE OBJECT 4711 OWNER TO ${id(dice.one(everybody))}`,
    `GRANT ${dice.one(['SELECT', 'UPDATE'])} ON LARGE OBJECT 4711 TO ${id(dice.one(everybody))}${option(dice)}`,
  ];
}
