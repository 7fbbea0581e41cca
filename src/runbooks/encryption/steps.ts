/**
 * The steps of `rotateEncryptionKey`, in order: in one transaction, or online. The workflow of the same name carries them out.
 * Sources: documents 004 (window, re-encrypt in one transaction, store, restart, health), 000 (the provider keys of
 * INTEGRATION_ENCRYPTION_KEY, and each provider's test after it), 001 (stay able to read the old data; gradual migration).
 */
import type { PlannedColumn, PlannedEncryption, RotationPlan } from '../../domain/plan.js';
import { stepTable, type StepRow } from '../../domain/steps.js';
import {
  afterChange,
  gateRow,
  lookingRows,
  names,
  recordRow,
  rolloutOf,
  endUnprovenRow,
  takeOverRow,
  windowAgainRow,
  windowRow,
} from '../rows.js';

export type EncryptionPlan = RotationPlan & { readonly encryption: PlannedEncryption };
type Row<K extends string> = StepRow<EncryptionPlan, K>;

export function isEncryption(plan: RotationPlan): plan is EncryptionPlan {
  return plan.encryption !== null;
}

/** `api_credentials.encrypted_value`, `app_integrations.settings/tmdb/key`. */
export function nameOfColumn({ table, column, path }: Pick<PlannedColumn, 'table' | 'column' | 'path'>): string {
  return [`${table}.${column}`, ...(path ?? [])].join('/');
}

export const stageKeyRow: Row<'stage'> = {
  key: 'stage',
  title: 'Stage a new key',
  detail: ({ generator, slot }) => `${generator} for ${slot.key}`,
  undo: 'undone on failure',
};

/** @param why what the backup is for. */
export function backUpKeyRow(why: string): Row<'back-up'> {
  return {
    key: 'back-up',
    title: 'Back up the new key',
    detail: ({ encryption }) => `in ${encryption.backups.join(', ')}, proven by a restore: ${why}`,
    when: ({ encryption }) => encryption.backups.length > 0,
  };
}

const BEGINNING = [
  {
    key: 'prepare',
    title: 'Check that everything is ready',
    detail: ({ services }) => `columns, rows by state, store, ${names(services)}, ledger; nothing is changed`,
  },
  takeOverRow,
  stageKeyRow,
  backUpKeyRow('no row is under a key that exists once'),
  gateRow('promote', 'use the new key'),
  windowRow(),
] as const satisfies readonly Row<string>[];

/** Document 004: verify health; document 000: run each provider's test. */
const LOOKING = lookingRows('Verify that the application decrypts');

const ENDING = [
  {
    key: 'prove',
    title: 'Prove that no row needs the old key',
    detail: 'each is read under the new key alone, none under the old',
    undo: 'forward',
  },
  endUnprovenRow(),
  { key: 'forget', title: 'Destroy the old key', detail: 'the previous version leaves the store', undo: 'forward' },
  recordRow,
] as const satisfies readonly Row<string>[];

export const ATOMIC_STEPS = stepTable<EncryptionPlan>()([
  ...BEGINNING,
  {
    key: 'stop',
    title: 'Stop the services',
    detail: ({ services }) => `${names(services)}; whatever fails from here on, they come back`,
    undo: 'undone on failure',
    begins: 'change',
  },
  {
    key: 'reencrypt',
    title: 'Re-encrypt every row',
    detail: (plan) =>
      `${columnsIn(plan)} in one transaction, each row read again under the new key alone before it is committed`,
    undo: 'undone on failure',
  },
  {
    key: 'switch',
    title: 'Start the services with the new key',
    detail: rolloutOf,
    undo: 'undone on failure',
  },
  ...LOOKING,
  gateRow('retire', 'destroy the old key', afterChange),
  ...ENDING,
]);

export const ONLINE_STEPS = stepTable<EncryptionPlan>()([
  ...BEGINNING,
  {
    key: 'accept',
    title: 'Deploy 1 of 3: read under the new key too',
    detail: rolloutOf,
    undo: 'undone on failure',
    begins: 'change',
  },
  {
    key: 'sign',
    title: 'Deploy 2 of 3: write under the new key',
    detail: rolloutOf,
    undo: 'undone on failure',
    begins: 'change',
  },
  {
    key: 'reencrypt',
    title: 'Re-encrypt every row',
    detail: (plan) => `${columnsIn(plan)} in batches, again and again until no row needs the old key`,
    undo: (plan) => (afterChange(plan) === 'forward' ? 'forward' : 'undone on failure'),
  },
  {
    key: 'verify-rows',
    title: 'Read every row under the new key alone',
    detail: 'by a reader of its own',
    undo: afterChange,
  },
  ...LOOKING,
  gateRow('retire', 'take the old key from the services, and destroy it', afterChange),
  windowAgainRow(() => true),
  {
    key: 'sweep',
    title: 'Look for rows written meanwhile',
    detail: 'with the old key, by a program that nobody knew of',
    undo: afterChange,
  },
  { key: 'retire', title: 'Deploy 3 of 3: the new key alone', detail: rolloutOf, undo: 'forward' },
  {
    key: 'sweep-again',
    title: 'Look for rows written during the deploy',
    detail: 'by whoever had the old key until then',
    undo: 'forward',
  },
  ...ENDING,
]);

function columnsIn({ encryption }: EncryptionPlan): string {
  return encryption.columns.map(nameOfColumn).join(', ');
}
