/** What an inventory says about services: how each is deployed and how one knows that it is well. */
import { z } from 'zod';
import { argv, duration, text } from './common.js';

const composeDeploy = z.strictObject({
  type: z.literal('compose'),
  directory: text.default('.'),
  files: z.array(text).optional(),
  project: text.optional(),
  envFile: text.optional(),
  services: z.array(text).optional(),
  /**
   * `up` replaces what changed (`up -d`); `restart` restarts the same containers, which then read mounted files anew, and no env
   * file; `recreate` replaces them in any case (`up -d --force-recreate`) and so does both.
   */
  action: z
    .enum(['up', 'restart', 'recreate'])
    .default('up')
    .describe('up: env files are read anew; restart: mounted files are; recreate: both'),
  timeout: duration.default('5m'),
});

const commandDeploy = z.strictObject({
  type: z.literal('command'),
  argv,
  /** Stops the service, and is content where it does not run. Needed where a secret is changed while its services stand still. */
  stop: argv.optional().describe('The command that stops the service; argv starts it again'),
  directory: text.default('.'),
  /** Names of the worker's variables that the command sees, besides PATH, HOME, LANG and TMPDIR. */
  environment: z.array(text).optional(),
  timeout: duration.default('2m'),
});

export const deploySpec = z.discriminatedUnion('type', [composeDeploy, commandDeploy]);
export type DeploySpec = z.infer<typeof deploySpec>;
export type ComposeDeploySpec = z.infer<typeof composeDeploy>;
export type CommandDeploySpec = z.infer<typeof commandDeploy>;

export const serviceSpec = z.strictObject({
  description: text.optional(),
  deploy: deploySpec,
  /** Names of checks that say the service is well. */
  health: z.array(text).min(1, 'a service without a health check cannot be rotated safely'),
});
export type ServiceSpec = z.infer<typeof serviceSpec>;
