/** What every rotation does: store, services, sessions, ledger. */
import { Context } from '@temporalio/activity';
import type { Hold, RotationActivities } from '../../../../src/activities/rotation-activities.js';
import type { Evidence } from '../../../../src/domain/evidence.js';
import { proven } from '../../../../src/domain/proof.js';
import { LOST, refuse, type State, type Store } from './state.js';
import type { Place } from './world.js';

export function said(summary: string, facts?: Evidence['facts']): Promise<Evidence> {
  return Promise.resolve({ summary, ...(facts ? { facts } : {}) });
}

/** A value that says which run has made it. */
export function madeBy(rotation: string): string {
  return `a value of ${rotation}`;
}

export function rotationActivities(
  state: State,
  store: Store,
  { plan, thing, leftBehind, works }: Place,
): Omit<RotationActivities, 'findAhead' | 'awaitServices' | 'askReadiness' | 'expandRequest'> {
  const others = ({ rotation }: Hold) => {
    const { old, fresh } = store.pair(rotation);
    const running = Object.entries(state.services).filter(([, service]) => service.running);
    return { old, fresh, running };
  };
  return {
    resolvePlan: ({ operator, reason, requestId }) => {
      const { swap } = plan;
      const role = swap?.newRole?.replace('run', requestId.slice(0, 8)) ?? null;
      return Promise.resolve({ ...plan, operator, reason, requestId, swap: swap && { ...swap, newRole: role } });
    },
    checkReadiness: ({ requestId }) => {
      const left = leftBehind(requestId);
      const ill = Object.keys(state.services).filter((name) => works(name) !== null);
      if (left === null && ill.length > 0) refuse('not-ready', `${ill.join(', ')} is not well`);
      return Promise.resolve({
        summary: 'ready',
        leftBehind: left,
        tokenHeader: null,
        things: [thing],
        deployedBy: null,
      });
    },
    stageSecret: ({ rotation }) => {
      store.stage(rotation, madeBy(rotation));
      return said('staged');
    },
    arrangeSecret: ({ rotation, arrangement }) => {
      const again = Context.current().info.attempt > 1;
      const changed = store.arrange(rotation, arrangement) || again;
      return said(arrangement, { changed });
    },
    discardSecret: ({ rotation }) => {
      store.discard(rotation);
      return said('discarded');
    },
    forgetPrevious: ({ rotation }) => {
      store.forget(rotation);
      return said('forgotten');
    },
    deployService: ({ name }) => {
      const [signs = '', ...accepts] = store.shown();
      state.services[name] = { running: true, signs, accepts };
      const ill = works(name);
      if (ill !== null) refuse('deploy-failed', `${name}: ${ill}`, 'applied');
      return said(`${name} deployed`);
    },
    revokeSessions: () => {
      const revoked = state.sessions;
      state.sessions = 0;
      return said(`${revoked} before, 0 after`, { revoked });
    },
    runChecks: () => said('flows pass'),
    watchMonitors: () => said('quiet'),
    rehearseProof: async () => ({ ...(await said('accepted')), tokenHeader: null }),
    seeWhoSigns: (hold) => {
      const { fresh, running } = others(hold);
      const wrong = running.filter(([, { signs }]) => signs !== fresh);
      if (wrong.length > 0)
        refuse('signs-with-old', `${wrong.map(([name]) => name).join(', ')} signs with the old value`);
      return said('signed with the new value');
    },
    proveOldRefused: async (hold) => {
      const { old, running } = others(hold);
      const wrong = running.filter(([, { signs, accepts }]) => [signs, ...accepts].includes(old));
      if (wrong.length > 0) refuse('old-accepted', `${wrong.map(([name]) => name).join(', ')} accepts the old value`);
      return proven(await said('refused'));
    },
    findWindow: () => Promise.reject(new Error('no plan here has a window')),
    remindApprovers: () => Promise.resolve(),
    findHolder: () => Promise.resolve(null),
    recordRotation: (row) => {
      const { orElse, notes } = row;
      const other = state.ledger.some(({ requestId: id, notes: its }) => id === row.requestId && its !== notes);
      const requestId = other && orElse !== undefined ? orElse : row.requestId;
      if (!state.ledger.some((known) => known.requestId === requestId)) state.ledger.push({ ...row, requestId });
      return Promise.resolve({ sequence: state.ledger.length, nextDueAt: null });
    },
  };
}

/** Who runs writes a row under its key, whatever else goes on. */
export function everybodyWrites({ services, rows }: State): void {
  for (const [name, { running, signs }] of Object.entries(services))
    if (running && signs !== LOST) rows.push({ plain: `${name} ${rows.length}`, key: signs });
}
