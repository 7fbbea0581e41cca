/** Plans with every step that a runbook has, and no waits. */
import type { BackupPlan } from '../../../src/domain/backup.js';
import type { PlannedEncryption, PlannedRecovery, PlannedSwap, RotationPlan } from '../../../src/domain/plan.js';
import { valueFormat, type ValueFormat } from '../../../src/domain/specs/ciphertext.js';
import { approvalSpec } from '../../../src/domain/specs/policy.js';
import { fullPlan } from '../../workflows/support/plan.js';

/** The reminder tells the world that a gate is open: it is decided as soon as it opens, and nobody looks after it. */
export const approval = (gates: RotationPlan['approval']['gates']): RotationPlan['approval'] =>
  approvalSpec.parse({ gates, remindAfter: '1ms' });

export function plan(secret: string, taskQueue: string, changes: Partial<RotationPlan> = {}): RotationPlan {
  const given = fullPlan(secret, taskQueue);
  return {
    ...given,
    operator: 'ana@example.test',
    reason: 'routine',
    requestId: '',
    note: null,
    overlap: { style: 'list', separator: ',', tokenLifetime: '0s', skew: '0s' },
    watch: '0s',
    approval: approval([]),
    ...changes,
  };
}

/** Each run's own has its mark in place of `run`. */
export const NEW_ROLE = 'app_run';

export function swap(changes: Partial<PlannedSwap>): PlannedSwap {
  return {
    strategy: 'copy',
    server: { administrator: { env: 'ADMIN_URL' }, database: null, replicas: [] },
    shape: { in: 'url' },
    newRole: NEW_ROLE,
    group: null,
    delay: '0s',
    watchEvery: '1s',
    observe: '0s',
    probe: null,
    ...changes,
  };
}

const FERNET: ValueFormat = valueFormat.parse({ cipher: 'fernet' });

export function encryption(mode: PlannedEncryption['mode']): PlannedEncryption {
  return {
    mode,
    server: { administrator: { env: 'ADMIN_URL' }, database: null, replicas: [] },
    key: 'fernet',
    columns: [{ table: 'notes', column: 'value', path: null, format: FERNET, where: null }],
    throttle: { maxLag: '10s', maxActive: 64, rest: 0 },
    parallel: 1,
    backups: ['safe'],
    disposable: [],
    search: { beforehand: '1m', atTheEnd: '1h' },
  };
}

export const recovery: PlannedRecovery = {
  unreadable: 'quarantine',
  label: [],
  enable: fullPlan('', '').verify,
  watchEvery: '1s',
  offered: [],
  folders: [],
  identity: null,
  passphrase: null,
};

export function backupPlan({ ref, taskQueue, slot, operator }: RotationPlan): BackupPlan {
  return {
    ref: { system: ref.system, environment: ref.environment, backup: ref.secret },
    operator,
    note: null,
    requestId: '',
    at: '2026-01-01T00:00:00Z',
    taskQueue,
    inventoryFile: 'shop.yaml',
    command: 'keyturn',
    directory: '/nowhere',
    secrets: [{ ref, kind: 'session', critical: false, slot }],
    encryption: { format: 'gpg', passphrase: { env: 'PASSPHRASE' } },
    maxAge: '90d',
    qr: 'svg',
    versions: ['current', 'pending'],
  };
}
