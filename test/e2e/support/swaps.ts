/** What end-to-end tests of `swapDatabaseCredential` share: its runs, the roles that it makes, and time that is skipped. */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll } from 'vitest';
import type { ExampleSystem } from '../../../src/demo/systems.js';
import { APPROVE } from '../../../src/domain/messages.js';
import type { RunStatus } from '../../../src/domain/status.js';
import { fastForward } from '../../../src/embedded/fast-forward.js';
import { query } from '../../examples/support/running-system.js';
import { dropRoleAfterwards } from '../../support/servers.js';
import type { Stage } from './stage.js';

export const MINUTES = 60;
export const HOURS = 60 * MINUTES;

export interface Role {
  readonly name: string;
  readonly login: boolean;
  readonly sessions: number;
}

export interface Swaps {
  runOf(ref: string): WorkflowHandle;
  /** Passes so much of this run's own time; its timers and retries on the way are really carried out. */
  skip(handle: WorkflowHandle, seconds: number): Promise<void>;
  /** Waits for this gate and has somebody else than the requester approve it. */
  approve(handle: WorkflowHandle, gate: string): Promise<void>;
}

export function swapsOn(stage: Stage): Swaps {
  return {
    runOf: (ref) => stage.client.workflow.getHandle(`rotate:${ref}`),
    async skip(handle, seconds) {
      const { runId } = await handle.describe();
      await fastForward(stage.client.workflowService, { workflowId: handle.workflowId, runId }, seconds);
    },
    async approve(handle, gate) {
      await stage.until(handle, (status) => status.gate?.name === gate);
      await handle.executeUpdate(APPROVE, { args: [{ by: 'ben@example.test', gate }], updateId: randomUUID() });
    },
  };
}

const waits = ({ wait, gate }: RunStatus): boolean => wait !== null && gate === null;
/** In the delay after which the old role is dropped. */
export const keeps = (status: RunStatus): boolean => waits(status) && status.phase.startsWith('Keep the old role');
/** The old role has lost its log-in. */
export const observes = (status: RunStatus): boolean => waits(status) && status.phase.startsWith('Watch for rejected');

const watched: ExampleSystem[] = [];

/** Swaps make roles on the server that all tests share: what is left of them when the file is done goes with its databases. */
export function sweepRoles(systems: readonly ExampleSystem[]): void {
  watched.push(...systems);
}

// Loaded after the module that drops databases and roles, so that this looks first.
afterAll(async () => {
  for (const system of watched.splice(0)) await rolesOf(system);
}, 60_000);

/** The system's own role, those that are members of it, and those that a swap has marked and that have rights in its database. */
export async function rolesOf(system: ExampleSystem): Promise<Role[]> {
  const rows = (await query(
    system,
    `SELECT rolname AS name, rolcanlogin AS login,
            (SELECT count(*)::int FROM pg_stat_activity a WHERE a.usesysid = r.oid) AS sessions
       FROM pg_roles r
      WHERE rolname = '${system.role}'
         OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.roleid = to_regrole('${system.role}'))
         OR shobj_description(r.oid, 'pg_authid') LIKE 'keyturn rotation %' AND EXISTS (
              SELECT FROM pg_shdepend d JOIN pg_database b ON b.oid IN (d.dbid, d.objid)
               WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND b.datname = current_database())
      ORDER BY r.oid`,
  )) as unknown as Role[];
  for (const { name } of rows) dropRoleAfterwards(name);
  return rows;
}
