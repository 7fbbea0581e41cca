/** The sections of a plan that a runbook of its own kind needs. */
import type { PlannedEncryption, PlannedSwap } from '../../../src/domain/plan.js';
import { search, throttle } from '../../../src/domain/specs/encryption.js';
import type { SwapPlan } from '../../../src/runbooks/database-swap/steps.js';
import type { EncryptionPlan } from '../../../src/runbooks/encryption/steps.js';
import type { RecoveryPlan } from '../../../src/runbooks/lost-key/steps.js';

const server = { administrator: { env: 'ADMIN' }, database: null, replicas: [] };

export function swapPlan(strategy: PlannedSwap['strategy']): Partial<SwapPlan> {
  const newRole = strategy === 'same-role' ? null : 'shop_1';
  const times = { delay: '24h', watchEvery: '5m', observe: '10m' };
  return {
    kind: 'database',
    swap: { strategy, server, shape: { in: 'url' }, newRole, group: null, probe: null, ...times },
  };
}

export function columnPlan(
  mode: PlannedEncryption['mode'],
  backups: readonly string[] = ['safe'],
): Partial<EncryptionPlan> {
  const column = { table: 't', column: 'c', path: null, where: null, format: { cipher: 'fernet' } } as const;
  const amounts = { throttle: throttle.parse({}), parallel: 1, search: search.parse({}), disposable: [] };
  return {
    kind: 'encryption',
    encryption: { mode, server, key: 'hex', columns: [column], backups, ...amounts },
  };
}

export function recoveryPlan(unreadable: RecoveryPlan['recovery']['unreadable']): Partial<RecoveryPlan> {
  const from = { offered: [], folders: [], identity: null, passphrase: null };
  return {
    ...columnPlan('atomic'),
    reason: 'routine',
    recovery: { unreadable, label: [], enable: [], watchEvery: '1m', ...from },
  };
}
