/** What every step of a swap begins with: the server, and who is who. The store knows the two credentials, and nothing else does. */
import { actingGroup } from '../../databases/roles/acting-group.js';
import type { RolePair } from '../../databases/roles/pair.js';
import { Server, type Login, type ServerOptions } from '../../databases/server.js';
import { KeyturnError } from '../../domain/errors.js';
import type { PlannedSwap } from '../../domain/plan.js';
import type { SecretSlot, VersionLabel, Versions } from '../../domain/slot.js';
import { readCredential } from '../../stores/credential-value.js';
import { openStore } from '../../stores/open-store.js';
import { credentialResolver } from '../credentials.js';
import type { ActivityDeps } from '../deps.js';
import { currentScope } from '../scope.js';
import type { SwapHold } from '../swap-activities.js';

/** Closed when the activity ends. */
export async function openServer(
  { server }: Pick<PlannedSwap, 'server'>,
  deps: Pick<ActivityDeps, 'variables'>,
  signal: AbortSignal,
  more: Pick<ServerOptions, 'admit' | 'touched'> = {},
): Promise<Server> {
  const { administrator, database, replicas } = server;
  const url = await credentialResolver(deps.variables)(administrator);
  const label = 'env' in administrator ? `variable ${administrator.env}` : `file ${administrator.file}`;
  const { purpose, atEnd } = currentScope();
  const { tls, passwords } = administrator;
  const opened = new Server({
    administrator: url,
    tls,
    passwords,
    label,
    database,
    replicas,
    signal,
    purpose,
    ...more,
  });
  atEnd(() => opened.close());
  return opened;
}

export interface Logins {
  readonly old: Login;
  readonly fresh: Login;
}

/** @throws KeyturnError `nothing-staged` when this rotation has no new credential in the store. */
export async function loginsOf({ slot, rotation, swap }: SwapHold, deps: ActivityDeps): Promise<Logins> {
  const versions = await openStore(slot.store, deps).describe(slot);
  if (versions.rotation !== rotation) {
    throw new KeyturnError('nothing-staged', `rotation ${rotation} has no new credential in the store of ${slot.key}`, {
      hint: 'somebody has taken it out of the store; cancel this run and start again',
    });
  }
  const at = (version: VersionLabel): Promise<Login> => credentialAt(slot, swap, version, deps);
  const logins = isSwitched(versions)
    ? { old: await at('previous'), fresh: await at('current') }
    : { old: await at('current'), fresh: await at('pending') };
  // One role as old and new would be shut out as the one and dropped as the other, with everybody on it.
  if ((logins.old.user === logins.fresh.user) !== (swap.strategy === 'same-role')) {
    throw new KeyturnError(
      'wrong-strategy',
      `what waits in the store of ${slot.key} was not staged for "${swap.strategy}"`,
      {
        hint: 'an earlier run, or this one before it was reset, had another plan: put the inventory back to that, or take the staged credential out by hand',
      },
    );
  }
  return logins;
}

/** Whether the services are shown the new credential. */
export function isSwitched({ arrangement }: Pick<Versions, 'arrangement'>): boolean {
  return arrangement.startsWith('new');
}

export async function credentialAt(
  slot: SecretSlot,
  { shape }: PlannedSwap,
  version: VersionLabel,
  deps: ActivityDeps,
): Promise<Login> {
  return readCredential(shape, await openStore(slot.store, deps).read(slot, version));
}

export interface OpenSwap extends Logins {
  readonly server: Server;
  readonly pair: RolePair;
}

/** @throws KeyturnError as loginsOf, and as Server. */
export async function openSwap(hold: SwapHold, deps: ActivityDeps, signal: AbortSignal): Promise<OpenSwap> {
  const server = await openServer(hold.swap, deps, signal);
  const logins = await loginsOf(hold, deps);
  return { server, ...logins, pair: await pairOf(server, hold.swap, logins.old.user, logins.fresh.user) };
}

export async function pairOf(
  server: Server,
  { strategy, group }: PlannedSwap,
  old: string,
  fresh: string,
): Promise<RolePair> {
  if (strategy !== 'group') return { strategy: 'copy', old, fresh, group: null };
  const holder = group === old ? null : (group ?? (await actingGroup(server, { old, fresh })));
  return { strategy, old, fresh, group: holder };
}

/** The comment by which a role is known to be this rotation's, and how it came to its rights. */
export function markOf({ rotation, swap }: Pick<SwapHold, 'rotation' | 'swap'>): string {
  return `keyturn rotation ${rotation} (${swap.strategy})`;
}
