/** The new credential: in the store before the server learns of it, so that a retry finds and reuses it. */
import { setPassword } from '../../databases/access/password.js';
import { sentPassword, type SentPassword } from '../../databases/access/sent-password.js';
import { proveRefused } from '../../databases/access/prove-login.js';
import { serverTime } from '../../databases/access/sessions.js';
import type { Login, Server } from '../../databases/server.js';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { formatRef } from '../../domain/refs.js';
import { shortFingerprint } from '../../domain/slot.js';
import { composeCredential, readCredential } from '../../stores/credential-value.js';
import { generateValue } from '../../stores/generate.js';
import { openStore } from '../../stores/open-store.js';
import { assessStrength } from '../../stores/strength.js';
import type { ActivityTools } from '../as-activity.js';
import type { ActivityDeps } from '../deps.js';
import { stagedByRun } from '../earlier-run.js';
import type { Staging } from '../rotation-activities.js';
import type { SwapHold } from '../swap-activities.js';
import { loginsOf, openServer } from './open-swap.js';

export async function stageCredential(
  hold: SwapHold & Staging,
  deps: ActivityDeps,
  { workflowId }: Pick<ActivityTools, 'workflowId'>,
): Promise<Evidence> {
  const { slot, rotation, swap, ref, generator, minimumLength, reason } = hold;
  const store = openStore(slot.store, deps);
  const current = await store.read(slot, 'current');
  const { user } = readCredential(swap.shape, current);
  if (user === swap.newRole) {
    throw new KeyturnError('already-swapped', `${slot.key} uses ${user} already, the role that this run has made`, {
      hint: 'this run was reset after its end: start a new one, which makes a role of its own',
    });
  }
  const password = generateValue(generator, ref.secret);
  const faults = assessStrength(password, minimumLength, { allowTestValues: generator.startsWith('test:') });
  if (faults.length > 0) {
    throw new KeyturnError(
      'weak-value',
      `the new password for ${formatRef(ref)} is not good enough: ${faults.join(', ')}`,
      {
        hint: 'choose a stronger generator in the inventory',
      },
    );
  }
  const login = { user: swap.newRole ?? user, password };
  const versions = await store.stage(
    slot,
    rotation,
    () => composeCredential(swap.shape, current, login),
    await stagedByRun(deps, { workflowId, reason }),
  );
  const staged = await loginsOf(hold, deps);
  const pending = versions.pending ? shortFingerprint(versions.pending.fingerprint) : 'in use already';
  return {
    summary: `${slot.key} staged for role ${staged.fresh.user} (now ${staged.old.user}; pending ${pending})`,
    facts: { role: staged.fresh.user, old: staged.old.user, arrangement: versions.arrangement },
  };
}

/** @returns `at`: the server's clock right after, so that what is older was let in by the other password. */
export async function changePassword(
  hold: SwapHold & { to: 'new' | 'old' },
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<Evidence & { at: string }> {
  const server = await openServer(hold.swap, deps, signal);
  const { old, fresh } = await loginsOf(hold, deps);
  const login = hold.to === 'new' ? fresh : old;
  const { summary } = await setPassword(server, login.user, passwordFor(server, login, hold.rotation));
  // A replica that is behind lets the old password in for a while: what it let in by then must end too.
  if (hold.to === 'new' && server.nodes.length > 1) await proveRefused(server, old, fresh);
  const at = await serverTime(server);
  return { summary: `${summary} (${hold.to})`, facts: { role: login.user, to: hold.to, at }, at };
}

/** The same for every attempt on every worker: see scram.ts. */
export function passwordFor(server: Server, { user, password }: Login, rotation: string): SentPassword {
  return sentPassword(server.passwords, password, `${user} ${rotation}`);
}
