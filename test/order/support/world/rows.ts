/** Rows under an encryption key, and those that no key reads. */
import type {
  Direction,
  EncryptionActivities,
  EncryptionHold,
} from '../../../../src/activities/encryption-activities.js';
import type { RecoveryActivities, Reentered } from '../../../../src/activities/recovery-activities.js';
import { proven } from '../../../../src/domain/proof.js';
import { NO_ROWS } from '../../../../src/domain/row-counts.js';
import { everybodyWrites, madeBy, said } from './rotation.js';
import { LOST, refuse, type Row, type State, type Store } from './state.js';
import type { Place } from './world.js';

export function rowActivities(
  state: State,
  store: Store,
  { plan, leftBehind, thing }: Place,
): EncryptionActivities & RecoveryActivities {
  const keys = ({ rotation }: EncryptionHold) => store.pair(rotation);
  const move = (hold: EncryptionHold, direction: Direction) => {
    const { old, fresh } = keys(hold);
    const [from, to] = direction === 'to the new key' ? [old, fresh] : [fresh, old];
    const moved = state.rows.filter(({ key }) => key === from);
    const rest = state.rows.filter(({ key }) => key !== from && key !== to).length;
    for (const row of moved) row.key = to;
    const { length: read } = state.rows;
    const reencrypted = moved.length;
    return { ...NO_ROWS, read, reencrypted, unreadable: rest, alreadyNew: read - reencrypted - rest };
  };
  const reentered = (): Reentered => {
    const { length: quarantined } = state.quarantine;
    const { entered } = state;
    return {
      summary: `${entered} of ${quarantined} entered again`,
      quarantined,
      entered,
      lines: [],
      missing: state.quarantine.slice(entered).map(({ plain }) => plain),
      places: quarantined > 0 ? ['quarantine'] : [],
      lists: [],
      key: `${entered}/${quarantined}`,
    };
  };
  return {
    stageKey: ({ rotation }) => {
      store.stage(rotation, madeBy(rotation));
      return said('staged');
    },
    stopService: ({ name }) => {
      const service = state.services[name];
      if (service) service.running = false;
      return said(`${name} stopped`);
    },
    reencryptAtomically: async (hold) => {
      const counts = move(hold, hold.direction);
      return { ...(await said('re-encrypted')), counts, unreadable: [] };
    },
    splitRows: () => Promise.reject(new Error('no plan here splits a table')),
    reencryptRows: async (hold) => {
      const counts = move(hold, hold.direction);
      everybodyWrites(state);
      return { ...(await said('swept')), counts, unreadable: [] };
    },
    readRows: async (hold) => {
      const { fresh } = keys(hold);
      const others = state.rows.filter(({ key }) => key !== fresh).length;
      return { ...(await said('read')), others, which: [] };
    },
    discardKey: (hold) => {
      const { rotation } = state.store;
      if (rotation === hold.rotation) {
        const { fresh } = keys(hold);
        const under = state.rows.filter(({ key }) => key === fresh).length;
        if (under + state.quarantine.length > 0) refuse('new-key-needed', `${under} row(s) need it`);
      }
      store.discard(hold.rotation);
      return said('discarded');
    },
    proveOldKeyUnused: async (hold) => {
      const { fresh } = keys(hold);
      const others = state.rows.filter(({ key }) => key !== fresh).length;
      if (others > 0) refuse('old-key-needed', `${others} row(s) are not under the new key`);
      return proven(await said('no row is under the old key'));
    },
    resolveRecovery: ({ operator, reason, requestId }) => Promise.resolve({ ...plan, operator, reason, requestId }),
    checkRecovery: ({ requestId }) => {
      const left = leftBehind(requestId);
      const lost = state.rows.filter(({ key }) => key === LOST).length;
      if (left === null && lost === 0) refuse('nothing-lost', 'every row can be read');
      return Promise.resolve({
        summary: `${lost} lost`,
        facts: { lost },
        leftBehind: left,
        tokenHeader: null,
        things: [thing],
        deployedBy: null,
        question: 'Recover?',
        stoppable: Object.keys(state.services),
      });
    },
    recoverRows: (hold) => {
      move(hold, 'to the new key');
      const isLost = ({ key }: Row): boolean => key === LOST;
      state.quarantine.push(...state.rows.filter(isLost));
      state.rows = state.rows.filter((row) => !isLost(row));
      return said('recovered');
    },
    undoRecovery: (hold) => {
      move(hold, 'back to the old key');
      state.rows.push(...state.quarantine);
      state.quarantine = [];
      return said('taken back');
    },
    findReentries: () => Promise.resolve(reentered()),
    // People have entered them by the time that somebody waits for it.
    awaitReentries: (hold) => {
      for (const { plain } of state.quarantine.slice(state.entered)) state.rows.push({ plain, key: keys(hold).fresh });
      state.entered = state.quarantine.length;
      return Promise.resolve(reentered());
    },
    destroyQuarantine: () => {
      state.quarantine = [];
      return said('destroyed');
    },
  };
}
