/** A database server's roles. A credential is `role/password`. */
import type { SwapActivities, SwapHold } from '../../../../src/activities/swap-activities.js';
import { proven } from '../../../../src/domain/proof.js';
import { madeBy, said } from './rotation.js';
import { refuse, type State, type Store } from './state.js';

export function roleOf(credential: string): string {
  return credential.split('/')[0] ?? '';
}

function passwordOf(credential: string): string {
  return credential.slice(roleOf(credential).length + 1);
}

export function letsIn({ roles }: Pick<State, 'roles'>, credential: string): boolean {
  const role = roles[roleOf(credential)];
  return role !== undefined && role.login && role.password === passwordOf(credential);
}

export function swapActivities(state: State, store: Store): SwapActivities {
  const { roles } = state;
  const logins = ({ rotation }: SwapHold) => {
    const { old, fresh } = store.pair(rotation);
    return { old, fresh, oldRole: roleOf(old), freshRole: roleOf(fresh) };
  };
  const findSessions: SwapActivities['findSessions'] = (hold) => {
    const { oldRole } = logins(hold);
    const lines = Object.entries(state.services)
      .filter(([, { running, signs }]) => running && roleOf(signs) === oldRole)
      .map(([name]) => name);
    return Promise.resolve({ sessions: [], lines, key: lines.join() });
  };
  return {
    stageCredential: ({ rotation, swap }) => {
      const role = swap.newRole ?? roleOf(state.store.current);
      store.stage(rotation, `${role}/${madeBy(rotation)}`);
      return said('staged');
    },
    createRole: (hold) => {
      const { oldRole, fresh, freshRole } = logins(hold);
      if (roles[oldRole] === undefined) return said(`${oldRole} is gone already`);
      roles[freshRole] ??= { password: passwordOf(fresh), login: true };
      return said(`${freshRole} created`);
    },
    proveNewRole: (hold) => {
      const { fresh, freshRole } = logins(hold);
      if (!letsIn(state, fresh)) refuse('login-refused', `${freshRole} is not let in`);
      return said('let in');
    },
    removeNewRole: (hold) => {
      const { freshRole } = logins(hold);
      if (state.store.arrangement.startsWith('new')) refuse('in-use', `${freshRole} is in use`);
      Reflect.deleteProperty(roles, freshRole);
      return said(`${freshRole} removed`);
    },
    changePassword: async (hold) => {
      const { old, fresh } = logins(hold);
      const login = hold.to === 'new' ? fresh : old;
      roles[roleOf(login)] = { password: passwordOf(login), login: true };
      return { ...(await said(`the ${hold.to} password`)), at: new Date().toISOString() };
    },
    awaitAdoption: findSessions,
    findSessions,
    recompareRights: () => said('all rights are equal'),
    restoreOldRole: (hold) => {
      const { old, oldRole } = logins(hold);
      const role = roles[oldRole] ?? refuse('old-role-gone', `${oldRole} is dropped`);
      Object.assign(role, { login: true, password: passwordOf(old) });
      return said(`${oldRole} is let in`);
    },
    disableOldRole: async (hold) => {
      const role = roles[logins(hold).oldRole];
      if (role) role.login = false;
      return { ...(await said('shut out')), logs: {} };
    },
    enableOldRole: (hold) => {
      const role = roles[logins(hold).oldRole];
      if (role) role.login = true;
      return said('let in');
    },
    findRejected: async () => ({ ...(await said('nobody was refused')), rejected: 0, from: [] }),
    terminateOldSessions: () => said('ended'),
    dropOldRole: (hold) => {
      const { oldRole } = logins(hold);
      // The first time under `group` it stays, as the group.
      if (hold.swap.strategy === 'group' && hold.swap.group === null) roles[oldRole] = { password: null, login: false };
      else Reflect.deleteProperty(roles, oldRole);
      return said('dropped');
    },
    proveOldLoginRefused: async (hold) => {
      const { old, fresh } = logins(hold);
      if (letsIn(state, old)) refuse('old-accepted', 'the old credential is let in');
      if (!letsIn(state, fresh)) refuse('login-refused', 'the new credential is not let in');
      return proven(await said('refused'));
    },
  };
}
