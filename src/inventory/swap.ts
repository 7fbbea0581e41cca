/** How a database credential of an inventory is swapped, for one run. */
import { KeyturnError } from '../domain/errors.js';
import type { PlannedSwap } from '../domain/plan.js';
import { isExposed, type Reason } from '../domain/reason.js';
import { formatRef, type SecretRef } from '../domain/refs.js';
import type { FoundSecret } from './find.js';
import { keepsOld } from './keeps-old.js';
import type { Resolver } from './resolver.js';

interface SwapRequest {
  readonly ref: SecretRef;
  readonly reason: Reason;
  readonly requestId: string;
  readonly at: string;
}

/** @throws KeyturnError `no-runbook` where the inventory does not say how; `bad-inventory`. */
export function planSwap({ environment, secret }: FoundSecret, resolver: Resolver, request: SwapRequest): PlannedSwap {
  const spec = secret.swap && resolver.settings.fillAll(secret.swap);
  const { database, strategy } = spec ?? {};
  if (!spec || database === undefined || strategy === undefined) {
    throw new KeyturnError('no-runbook', `${formatRef(request.ref)} does not say how its credential is swapped`, {
      hint: `give it swap: { database: …, strategy: group | copy | same-role }; databases of ${environment.name}: ${[...environment.databases.keys()].join(', ') || 'none'}`,
    });
  }
  const prefix = spec.rolePrefix ?? rolePrefix(request.ref);
  return {
    strategy,
    server: resolver.server(database, spec.name ?? null),
    shape: spec.credential,
    newRole: strategy === 'same-role' ? null : `${prefix}_${dateOf(request.at)}_${markOf(request.requestId)}`,
    group: spec.group ?? null,
    // What others may have is shut out at once; whoever still needs it is found by being refused.
    delay: keepsOld(secret, request.reason) ? spec.delay : '0s',
    watchEvery: spec.watchEvery,
    observe: isExposed(request.reason) ? '0s' : spec.observe,
    probe: spec.probe ?? null,
  };
}

/** As specs/swap.ts allows it: lower-case letters, digits and "_", 48 at most. */
function rolePrefix({ system, environment }: SecretRef): string {
  const plain = `${system}_${environment}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, 48);
  return /^[a-z]/.test(plain) ? plain : `_${plain}`.slice(0, 48);
}

/** `261121`. */
function dateOf(iso: string): string {
  return iso.slice(2, 10).replaceAll('-', '');
}

/** The end of the run's id: the beginning of Temporal's ids is the time, so runs of one minute begin alike. */
function markOf(requestId: string): string {
  return requestId
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '')
    .slice(-6);
}
