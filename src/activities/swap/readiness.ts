/** What can be known about a swap before it changes anything: may the administrator, can the roles, would a proof prove anything. */
import { assessAdministrator } from '../../databases/access/assess-administrator.js';
import { proveLogin, wrongPasswordIsRefused } from '../../databases/access/prove-login.js';
import { isRefusal } from '../../databases/access/replay.js';
import { demandPasswordTaken } from '../../databases/access/password-taken.js';
import { whereWrittenDown } from '../../databases/access/written-down.js';
import { loginState } from '../../databases/roles/acting-group.js';
import { assessSwap, recommendStrategy } from '../../databases/roles/assess-swap.js';
import type { RolePair } from '../../databases/roles/pair.js';
import type { Login, Server } from '../../databases/server.js';
import { KeyturnError } from '../../domain/errors.js';
import type { PlannedSwap, RotationPlan } from '../../domain/plan.js';
import type { SecretValue } from '../../domain/secret-value.js';
import { readCredential } from '../../stores/credential-value.js';
import { generateValue } from '../../stores/generate.js';
import { openStore } from '../../stores/open-store.js';
import type { ActivityDeps } from '../deps.js';
import type { LeftBehind } from '../rotation-activities.js';
import { findRole } from '../../databases/roles/role-facts.js';
import { inTransaction } from '../../databases/roles/session.js';
import { assessOwnAddress } from './own-address.js';
import { credentialAt, loginsOf, markOf, openServer, pairOf } from './open-swap.js';

export type Question = () => Promise<string | { warning: string }>;
export type Ask = (question: string, body: Question) => Promise<void>;

/** @param leftBehind of a terminated run that this one goes on from: then the roles are as far as that one came. */
export async function askAboutSwap(
  plan: RotationPlan,
  swap: PlannedSwap,
  {
    deps,
    signal,
    ask,
    leftBehind,
  }: { deps: ActivityDeps; signal: AbortSignal; ask: Ask; leftBehind: LeftBehind | null },
): Promise<void> {
  const opened: { server: Server | null; login: Login | null } = { server: null, login: null };
  // First, and alone: without an administrator nothing that follows has an answer.
  await ask('database server', async () => {
    const server = await openServer(swap, deps, signal);
    await reach(server, swap);
    opened.server = server;
    return 'lets the administrator in';
  });
  const { server } = opened;
  if (!server) return;
  await ask('credential in use', async () => {
    const login = await credentialAt(plan.slot, swap, 'current', deps);
    opened.login = login;
    const expectRole = await actingAs(server, swap, login);
    try {
      return (await proveLogin(server, login, { expectRole, probe: null })).summary;
    } catch (error) {
      if (!isRefusal(error) || !leftBehind || swap.strategy !== 'same-role') throw error;
      // Ended between the store and the server: the password that the store shows is not the server's yet, or not any more.
      const other = leftBehind.arrangement.startsWith('new') ? 'previous' : 'pending';
      await proveLogin(server, await credentialAt(plan.slot, swap, other, deps), { expectRole, probe: null });
      return { warning: `the server still has the ${other} password of the store: this run sets it right` };
    }
  });
  const { login } = opened;
  if (!login) return;
  const { user } = login;

  if (leftBehind) await ask('earlier run', () => sameWay(plan, swap, leftBehind, server, deps));
  await ask('administrator', async () => {
    const { group } =
      swap.strategy === 'same-role' ? { group: null } : await pairOf(server, swap, user, swap.newRole ?? user);
    return verdict(
      await assessAdministrator(server, { strategy: swap.strategy, role: user, group }),
      'may do what this takes',
    );
  });
  const inClear = server.passwords === 'plaintext';
  await ask(inClear ? 'passwords in clear' : 'passwords as verifiers', async () => {
    await demandPasswordTaken(server, generateValue(plan.generator, plan.ref.secret));
    const taken = 'taken: a role that was rolled back';
    return inClear ? { warning: `${taken}; ${await whereWrittenDown(server)}` } : taken;
  });
  await ask('passwords are checked', async () => (await wrongPasswordIsRefused(server, user)).summary);
  if (leftBehind || swap.strategy === 'same-role' || swap.newRole === null) return;
  await ask("the application's address", () => assessOwnAddress(plan, swap, deps, signal));
  const { newRole } = swap;
  const pair = (): Promise<RolePair> => pairOf(server, swap, user, newRole);
  await ask(`role ${user}`, async () => verdict(await assessSwap(server, await pair()), 'can be replaced'));
  await ask('strategy', async () => {
    const { strategy, reason } = await recommendStrategy(server, user, (await pair()).group);
    const said = `${swap.strategy}, as the inventory says`;
    return strategy === swap.strategy
      ? `${said}; recommended too: ${reason}`
      : { warning: `${said}; recommended: ${strategy}, ${reason}` };
  });
}

/** @throws KeyturnError as Server, saying where what was refused is written. */
async function reach(server: Server, { server: { administrator, database } }: PlannedSwap): Promise<void> {
  try {
    await server.asAdministrator((client) => client.query('SELECT 1'));
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.hint !== undefined) throw error;
    const url = 'env' in administrator ? `the variable ${administrator.env}` : administrator.file;
    const name = database === null ? '' : `, and the database's name in the inventory, ${database}`;
    throw new KeyturnError(error.code, error.message, {
      hint: `see to the administrator's URL in ${url}${name}`,
      retryable: error.retryable,
      cause: error,
    });
  }
}

async function actingAs(server: Server, swap: PlannedSwap, login: Login): Promise<string | null> {
  if (swap.strategy !== 'group') return null;
  return (await pairOf(server, swap, login.user, login.user)).group;
}

interface Assessment {
  readonly problems: readonly { message: string; hint: string }[];
  readonly warnings: readonly string[];
}

function verdict({ problems, warnings }: Assessment, well: string): string | { warning: string } {
  if (problems.length > 0) {
    const hints = [...new Set(problems.map(({ hint }) => hint))].join('; ');
    throw new KeyturnError('not-ready', problems.map(({ message }) => message).join('; '), { hint: hints });
  }
  return warnings.length > 0 ? { warning: warnings.join('; ') } : well;
}

/** Which role a terminated run was making, and how far its old one is gone: what is gone is not waited for. */
export async function rolesOf(
  plan: RotationPlan,
  swap: PlannedSwap,
  left: LeftBehind,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<LeftBehind> {
  if (swap.strategy === 'same-role') return left;
  const { old, fresh } = await loginsOf({ slot: plan.slot, rotation: left.rotation, swap }, deps);
  const made = { ...left, newRole: fresh.user };
  if (!left.arrangement.startsWith('new')) return made;
  return { ...made, oldRole: await loginState(await openServer(swap, deps, signal), old.user) };
}

/** The part of a stored value whose strength counts. */
export async function passwordInUse(plan: RotationPlan, swap: PlannedSwap, deps: ActivityDeps): Promise<SecretValue> {
  return readCredential(swap.shape, await openStore(plan.slot.store, deps).read(plan.slot, 'current')).password;
}

/**
 * What a terminated run began can only be finished in the way in which it was begun: rights that sit on a group are not where a copy
 * would look for them. @throws KeyturnError `wrong-strategy`.
 */
async function sameWay(
  { slot }: RotationPlan,
  swap: PlannedSwap,
  { rotation }: LeftBehind,
  server: Server,
  deps: ActivityDeps,
): Promise<string> {
  const hold = { slot, rotation, swap };
  const { fresh } = await loginsOf(hold, deps);
  if (swap.strategy === 'same-role') return 'begun in the same way';
  const role = await inTransaction(server, { purpose: 'read' }, (session) => findRole(session, fresh.user));
  if (!role || role.comment === markOf(hold)) return 'begun in the same way';
  throw new KeyturnError(
    'wrong-strategy',
    `${fresh.user} was made in another way than "${swap.strategy}": ${role.comment ?? 'it has no mark'}`,
    {
      hint: 'put the strategy in the inventory back to what it was, and run again: that finishes what the earlier run began',
    },
  );
}
