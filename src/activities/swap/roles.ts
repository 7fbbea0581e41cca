/** The new role, the old one, and their rights. Each call asks first what is already so. */
import { DatabaseError } from '../../databases/connection.js';
import { proveLogin, proveRefused } from '../../databases/access/prove-login.js';
import { watchRejectedLogins, type WatchProgress } from '../../databases/access/rejected-logins.js';
import { terminateSessions } from '../../databases/access/sessions.js';
import { loginState } from '../../databases/roles/acting-group.js';
import { carryOver } from '../../databases/roles/carry-over.js';
import { compareRights } from '../../databases/roles/compare-rights.js';
import { createLogin } from '../../databases/roles/create-login.js';
import { dropLogin, retireGroupLogin } from '../../databases/roles/drop-login.js';
import { holderOf } from '../../databases/roles/pair.js';
import { findRole } from '../../databases/roles/role-facts.js';
import { inTransaction } from '../../databases/roles/session.js';
import { demandSameSchemas, spellOutSearchPath } from '../../databases/roles/search-path.js';
import { forbidLogin, permitLogin } from '../../databases/roles/toggle-login.js';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { proven, type ProofEvidence } from '../../domain/proof.js';
import { openStore } from '../../stores/open-store.js';
import type { ActivityDeps } from '../deps.js';
import type { ActivityTools } from '../as-activity.js';
import type { LogPlaces, SwapHold } from '../swap-activities.js';
import { passwordFor } from './credential.js';
import { proveAtOwnAddress } from './own-address.js';
import { isSwitched, loginsOf, markOf, openServer, openSwap, type OpenSwap } from './open-swap.js';
import { letsIn } from './way-back.js';

/** More would not be read; the first say what kind of thing is missing. */
const DIFFERENCES_SHOWN = 12;
/** duplicate_object, and unique_violation where two create it at the same time. */
const TAKEN = ['42710', '23505'];

export async function createRole(hold: SwapHold, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const { server, pair, fresh } = await openSwap(hold, deps, signal);
  if ((await loginState(server, pair.old)) === 'gone') {
    return { summary: `the old role ${pair.old} is gone already: ${pair.fresh} has what it had` };
  }
  const login = { ...pair, verifier: passwordFor(server, fresh, hold.rotation), mark: markOf(hold) };
  const created = await createLogin(server, login).catch((error: unknown) => {
    // Somebody else's CREATE ROLE of this name, or a lost first attempt of ours, was quicker: now it can be seen whose it is.
    if (error instanceof DatabaseError && TAKEN.includes(error.sqlState)) return createLogin(server, login);
    throw error;
  });
  const spelled = await spellOutSearchPath(server, pair, fresh);
  return spelled.length === 0 ? created : { ...created, summary: `${created.summary}; ${spelled.join('; ')}` };
}

export async function proveNewRole(hold: SwapHold, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const swap = await openSwap(hold, deps, signal);
  const { server, pair, old, fresh } = swap;
  const gone = (await loginState(server, pair.old)) === 'gone';
  // A run that goes on from one that had switched meets a role that was in use.
  const used = isSwitched(await openStore(hold.slot.store, deps).describe(hold.slot));
  const rights = gone ? 'the old role is gone already' : await demandEqualRights(swap, used ? 'told' : 'refused');
  const expectRole = pair.strategy === 'group' ? holderOf(pair) : null;
  const proof = await proveLogin(server, fresh, { expectRole, probe: hold.swap.probe });
  if (!gone) await demandSameSchemas(server, old, fresh);
  const there = await proveAtOwnAddress(hold, used, deps, signal);
  return { summary: `${proof.summary}; ${there}; ${rights}`, ...(proof.facts ? { facts: proof.facts } : {}) };
}

/** What appeared since the role was made: tables of the application, grants by others. */
export async function recompareRights(hold: SwapHold, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const swap = await openSwap(hold, deps, signal);
  const { server, pair, fresh } = swap;
  if ((await loginState(server, pair.old)) === 'gone') return { summary: `the old role ${pair.old} is gone already` };
  const given = [...(await carryOver(server, pair)).given, ...(await spellOutSearchPath(server, pair, fresh))];
  const equal = await demandEqualRights(swap, 'told');
  const meanwhile = given.length === 0 ? 'nothing appeared meanwhile' : `carried over: ${shortened(given)}`;
  return { summary: `${equal}; ${meanwhile}`, facts: { given: given.length } };
}

/** `ifExtra`: nobody else has touched a role just made; later a deployment may have granted it something, or tuned its limits. */
async function demandEqualRights({ server, pair }: OpenSwap, ifExtra: 'refused' | 'told'): Promise<string> {
  const { missing, extra } = await compareRights(server, pair);
  const differences = ifExtra === 'refused' ? [...missing, ...extra] : missing;
  if (differences.length === 0) {
    if (extra.length === 0) return `all rights of ${pair.old} and ${pair.fresh} are equal`;
    return `${pair.fresh} has all rights of ${pair.old}; given to it or tuned meanwhile, and left so: ${shortened(extra)}`;
  }
  throw new KeyturnError('rights-differ', `${differences.length} rights differ: ${shortened(differences)}`, {
    hint: 'grant what is missing to the new role by hand, or give the administrator the right to; then start again',
    effect: 'applied',
    diagnosis: differences.slice(0, 100).join('\n'),
  });
}

function shortened(lines: readonly string[]): string {
  const more = lines.length - DIFFERENCES_SHOWN;
  return `${lines.slice(0, DIFFERENCES_SHOWN).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

/** Only after the services are back on the old role. What the new one made meanwhile goes to the old one. */
export async function removeNewRole(hold: SwapHold, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const server = await openServer(hold.swap, deps, signal);
  const { old, fresh } = await loginsOf(hold, deps);
  if (isSwitched(await openStore(hold.slot.store, deps).describe(hold.slot))) {
    throw new KeyturnError('in-use', `${hold.slot.key} shows ${fresh.user}: a role in use is not removed`, {
      hint: 'put the old credential back and deploy first',
    });
  }
  const mark = markOf(hold);
  const present = await inTransaction(server, { purpose: 'read' }, (session) => findRole(session, fresh.user));
  if (!present) return { summary: `the role ${fresh.user} is not there` };
  // Before anything is done to it: creating it may have failed because the name was somebody else's.
  if (present.comment !== mark && !(await letsIn(server, fresh)))
    return { summary: `the role ${fresh.user} is not of this rotation: left alone` };
  if (present.comment !== mark) {
    throw new KeyturnError(
      'role-conflict',
      `the role ${fresh.user} has this rotation's password, but another comment`,
      {
        hint: `if nobody else needs it: COMMENT ON ROLE ${fresh.user} IS '${mark}'`,
      },
    );
  }
  const { pair } = await openSwap(hold, deps, signal);
  const heir = pair.strategy === 'group' ? holderOf(pair) : old.user;
  await forbidLogin(server, fresh.user);
  await terminateSessions(server, fresh.user);
  return await dropLogin(server, { role: fresh.user, heir, mark });
}

/** Where the servers' logs stand is noted first, and kept for a second attempt: no rejection may fall in between. */
export async function disableOldRole(
  hold: SwapHold,
  deps: ActivityDeps,
  { signal, save, saved }: ActivityTools,
): Promise<Evidence & { logs: LogPlaces }> {
  const { server, old } = await oldOf(hold, deps, signal);
  let logs = (saved as { logs: LogPlaces } | undefined)?.logs ?? {};
  if (Object.keys(logs).length === 0) {
    const onProgress = ({ places }: WatchProgress): void => void (logs = places);
    await watchRejectedLogins(server, old, { milliseconds: 0, signal, onProgress });
    save({ logs });
  }
  if ((await loginState(server, old)) === 'gone') return { summary: `the old role ${old} is gone already`, logs };
  return { ...(await forbidLogin(server, old)), logs };
}

export async function enableOldRole(hold: SwapHold, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const { server, old } = await oldOf(hold, deps, signal);
  return await permitLogin(server, old);
}

/** The first time under strategy `group` the old role stays, as the group, and only its log-in ends. */
export async function dropOldRole(hold: SwapHold, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const { server, pair } = await openSwap(hold, deps, signal);
  const holder = holderOf(pair);
  if (holder === pair.old) return await retireGroupLogin(server, pair.old);
  return await dropLogin(server, { role: pair.old, heir: holder });
}

export async function proveOldLoginRefused(
  hold: SwapHold,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<ProofEvidence> {
  const server = await openServer(hold.swap, deps, signal);
  const { old, fresh } = await loginsOf(hold, deps);
  return proven(await proveRefused(server, old, fresh));
}

async function oldOf(
  hold: SwapHold,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<{ server: OpenSwap['server']; old: string }> {
  return { server: await openServer(hold.swap, deps, signal), old: (await loginsOf(hold, deps)).old.user };
}
