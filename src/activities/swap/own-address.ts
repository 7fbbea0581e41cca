/** The new credential where the application will use it: a pooler's list or a line of pg_hba.conf may know the old user only. */
import { tryOwnAddress } from '../../databases/access/own-address.js';
import { KeyturnError } from '../../domain/errors.js';
import type { PlannedSwap, RotationPlan } from '../../domain/plan.js';
import type { VersionLabel } from '../../domain/slot.js';
import { SecretValue } from '../../domain/secret-value.js';
import type { CredentialShape } from '../../domain/specs/swap.js';
import { readCredential } from '../../stores/credential-value.js';
import { openStore } from '../../stores/open-store.js';
import type { ActivityDeps } from '../deps.js';
import type { SwapHold } from '../swap-activities.js';

const ELSEWHERE = "so the new credential is tried at the administrator's address only";

/** Before anything is changed, with the credential in use: whether a trial of the new one will say anything. */
export async function assessOwnAddress(
  { slot }: RotationPlan,
  swap: PlannedSwap,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<string | { warning: string }> {
  const url = addressedBy(swap.shape, await openStore(slot.store, deps).read(slot, 'current'));
  if (url === null) return { warning: `${slot.key} does not say where the application connects, ${ELSEWHERE}` };
  const answer = await tryOwnAddress(url, `value of ${slot.key}`, signal);
  if (answer.is === 'let in') return 'the worker gets in there too';
  const why = answer.is === 'refused' ? `${answer.error.message}: from this worker` : answer.why;
  return { warning: `${why}, ${ELSEWHERE}` };
}

/** @returns what was seen, in words. @throws KeyturnError `refused-at-its-address` where the old credential gets in and the new does not. */
export async function proveAtOwnAddress(
  { slot, swap }: SwapHold,
  switched: boolean,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<string> {
  const store = openStore(slot.store, deps);
  const ask = async (version: VersionLabel): Promise<Awaited<ReturnType<typeof tryOwnAddress>> | null> => {
    const url = addressedBy(swap.shape, await store.read(slot, version));
    return url === null ? null : tryOwnAddress(url, `new value of ${slot.key}`, signal);
  };
  const answer = await ask(switched ? 'current' : 'pending');
  if (answer === null) return 'not tried where the application connects: the value does not say where';
  if (answer.is === 'let in') return 'let in where the application connects';
  if (answer.is === 'unknown') return `not tried where the application connects: ${answer.why}`;
  // Where the old one is refused as well, this worker is not let in, and nothing is known of the application.
  const control = await ask(switched ? 'previous' : 'current');
  if (control?.is !== 'let in')
    return 'not tried where the application connects: neither credential is let in from this worker';
  throw new KeyturnError('refused-at-its-address', `${answer.error.message}; the old credential is let in there`, {
    hint: 'a pooler in between needs the new user (auth_query instead of a list of users), or pg_hba.conf a line that lets it in',
    effect: 'applied',
  });
}

/** As a URL of this driver's; null: the value names no host. @throws KeyturnError as readCredential. */
function addressedBy(shape: CredentialShape, value: SecretValue): SecretValue | null {
  if (shape.in === 'url') {
    // SQLAlchemy and others name their driver in the scheme.
    return new SecretValue(value.reveal().replace(/^postgres(?:ql)?\+\w+:/, 'postgresql:'));
  }
  if (shape.in !== 'json') return null;
  const { host, port, dbname, database } = JSON.parse(value.reveal()) as Record<string, unknown>;
  if (typeof host !== 'string') return null;
  const { user, password } = readCredential(shape, value);
  const url = new URL('postgresql://localhost');
  url.hostname = host;
  url.port = typeof port === 'string' || typeof port === 'number' ? String(port) : '';
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password.reveal());
  const name = dbname ?? database;
  url.pathname = typeof name === 'string' ? `/${encodeURIComponent(name)}` : '';
  return new SecretValue(url.href);
}
