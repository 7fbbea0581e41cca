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
const setting = z.union(
  [
    z.string(),
    z.number(),
    z.strictObject({
      env: text.describe('The variable of the worker that holds it'),
      default: z.string().optional().describe('What it is where the variable is not set. Left out: it must be set'),
    }),
  ],
  { error: 'must be text, a number or { env: VARIABLE, default: TEXT }' },
);
export type Setting = z.infer<typeof setting>;

/** Stores, databases, services and checks may stand at the top, in an environment, or both: the environment's wins, by name. */
const places = {
  settings: z
    .record(name, setting)
    .optional()
    .describe(
      "Plain, non-secret values that stand in for ${NAME} anywhere else: text, a number, or { env: VARIABLE, default: TEXT } of the worker: { url: 'http://127.0.0.1:3000' }",
    ),
  stores: z.record(name, storeSpec).optional().describe('Places where values live, by name'),
  databases: z.record(name, databaseSpec).optional().describe('PostgreSQL servers, by name'),
  services: z.record(name, serviceSpec).optional().describe('Programs that consume secrets, by name'),
  checks: z.record(name, checkSpec).optional().describe('Questions with a yes or no answer, by name'),
  monitors: z.record(name, monitorSpec).optional().describe('What is watched for a while after a change, by name'),
  backups: z.record(name, backupSpec).optional().describe('Encrypted archives of secrets, by name'),
  approval: approvalPolicy.optional(),
  maintenanceWindow: windowOrNone.optional(),
};

export const environmentSchema = z.strictObject({
  name: name.describe('What it is called: production'),
  tier: z
    .enum(['development', 'staging', 'production'])
    .describe('How strict it is. development: recognisable test values are allowed, and nobody is asked by default'),
  taskQueue: text
    .optional()
    .describe(
      "Temporal's task queue that the worker beside this environment's files and engine polls. Default: KEYTURN_TASK_QUEUE, or keyturn",
    ),
  ...places,
  backups: z
    .record(name, z.union([z.literal(false), backupSpec]))
    .optional()
    .describe('Encrypted archives of secrets, by name; false: that one is not made here'),
  secrets: z
    .record(name, z.union([z.literal(false), secretOverride]))
    .optional()
    .describe('What this environment says differently about a secret, by name; false: the secret does not exist here'),
});

export const systemSchema = z.strictObject({
  system: name.describe('What it is called, first part of every reference to a secret: shop'),
  description: text.optional().describe('For people'),
  contacts: z
    .record(name, text)
    .optional()
    .describe('Whom to ask, for people: { team: shop operators <shop@example.test> }'),
  ...places,
  environments: z
    .array(environmentSchema)
    .min(1)
    .describe('Where the system runs, in rollout order: staging before production'),
  secrets: z.record(name, secretSpec).describe('The values that are rotated, by name'),
});

export type System = z.infer<typeof systemSchema>;
export type Environment = z.infer<typeof environmentSchema>;
