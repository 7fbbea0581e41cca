/** The shape of an inventory file: one YAML file a system. */
import { z } from 'zod';
import { backupSpec } from '../domain/specs/backup.js';
import { checkSpec, monitorSpec } from '../domain/specs/check.js';
import { name, text } from '../domain/specs/common.js';
import { approvalPolicy, windowOrNone } from '../domain/specs/policy.js';
import { secretOverride, secretSpec } from '../domain/specs/secret.js';
import { databaseSpec } from '../domain/specs/database.js';
import { serviceSpec } from '../domain/specs/service.js';
import { storeSpec } from '../domain/specs/store.js';

/** A plain, non-secret setting for `${NAME}` placeholders: written here, or a variable of the worker with a default. */
const setting = z.union([z.string(), z.number(), z.strictObject({ env: text, default: z.string().optional() })], {
  error: 'must be text, a number or { env: VARIABLE, default: TEXT }',
});
export type Setting = z.infer<typeof setting>;

/** Stores, databases, services and checks may stand at the top, in an environment, or both: the environment's wins, by name. */
const places = {
  settings: z.record(name, setting).optional().describe('Plain, non-secret values for ${NAME} placeholders'),
  stores: z.record(name, storeSpec).optional(),
  databases: z.record(name, databaseSpec).optional(),
  services: z.record(name, serviceSpec).optional(),
  checks: z.record(name, checkSpec).optional(),
  monitors: z.record(name, monitorSpec).optional(),
  backups: z.record(name, backupSpec).optional().describe('Encrypted archives of secrets'),
  approval: approvalPolicy.optional(),
  maintenanceWindow: windowOrNone.optional(),
};

export const environmentSchema = z.strictObject({
  name,
  /** development: identifiable test values allowed · staging · production: strict. */
  tier: z.enum(['development', 'staging', 'production']),
  /** The worker that stands next to this environment's files and engine polls it. */
  taskQueue: text
    .optional()
    .describe('Polled by the worker that stands next to this environment; default: KEYTURN_TASK_QUEUE, or "keyturn"'),
  ...places,
  /** `false`: the backup is not made here. */
  backups: z
    .record(name, z.union([z.literal(false), backupSpec]))
    .optional()
    .describe('Encrypted archives of secrets; false: not made here'),
  /** What this environment says differently about a secret; `false`: the secret does not exist here. */
  secrets: z.record(name, z.union([z.literal(false), secretOverride])).optional(),
});

export const systemSchema = z.strictObject({
  system: name,
  description: text.optional(),
  contacts: z.record(name, text).optional(),
  ...places,
  /** In rollout order. */
  environments: z.array(environmentSchema).min(1).describe('In rollout order'),
  secrets: z.record(name, secretSpec),
});

export type System = z.infer<typeof systemSchema>;
export type Environment = z.infer<typeof environmentSchema>;
