/** What an inventory says about services: how each is deployed and how one knows that it is well. */
import { z } from 'zod';
import { argv, duration, text } from './common.js';

const composeDeploy = z
  .strictObject({
    type: z.literal('compose').describe('Docker Compose on the host of the worker'),
    directory: text
      .default('.')
      .describe("The project's directory, relative to the inventory file; Compose is called in it"),
    files: z
      .array(text)
      .optional()
      .describe('Compose files (-f), relative to the directory. Default: those that Compose finds by itself'),
    project: text
      .optional()
      .describe("The project's name (-p), where it is not the one that Compose derives from the directory"),
    envFile: text
      .optional()
      .describe('The file that fills in ${…} of the Compose files (--env-file), relative to the directory'),
    services: z
      .array(text)
      .optional()
      .describe('Which services of the project are deployed: [web]. Default: all of them'),
    action: z
      .enum(['up', 'restart', 'recreate'])
      .default('up')
      .describe(
        'up replaces containers whose definition or env file changed (up -d); restart starts the same ones again, which read mounted files anew and no env file; recreate replaces them in any case (up -d --force-recreate), which does both',
      ),
    timeout: duration.default('5m').describe('How long one call of Compose may take; longer is a failed deploy'),
  })
  .describe(
    'Calls Docker Compose. A deploy that replaces nothing, or after which a service of the project restarts, fails or is unhealthy, is a failure.',
  );

const commandDeploy = z
  .strictObject({
    type: z.literal('command').describe('A command of your own'),
    argv: argv.describe(
      'The command and its arguments, as a list; no shell reads it: [systemctl, restart, shop]. It starts the service anew with what the store shows now, may be run again at any time, and ends by itself with 0. A program that it leaves running needs an output of its own (>service.log 2>&1)',
    ),
    /** Is content where the service does not run. Needed where a secret is changed while its services stand still. */
    stop: argv
      .optional()
      .describe(
        'The command that stops the service, which ends with 0 too where it is not running; argv starts it again. Needed by encryption keys in mode atomic, whose services stand still',
      ),
    directory: text.default('.').describe('Where the commands run, relative to the inventory file'),
    environment: z
      .array(text)
      .optional()
      .describe("Names of the worker's variables that the commands see, besides PATH, HOME, LANG and TMPDIR"),
    timeout: duration.default('2m').describe('How long a command may take; longer is a failed deploy'),
  })
  .describe('Runs a command on the host of the worker.');

export const deploySpec = z
  .discriminatedUnion('type', [composeDeploy, commandDeploy])
  .describe('How the service gets a changed value');
export type DeploySpec = z.infer<typeof deploySpec>;
export type ComposeDeploySpec = z.infer<typeof composeDeploy>;
export type CommandDeploySpec = z.infer<typeof commandDeploy>;

export const serviceSpec = z.strictObject({
  description: text.optional().describe('For people'),
  deploy: deploySpec,
  health: z
    .array(text)
    .min(1, 'a service without a health check cannot be rotated safely')
    .describe('Names of checks that all must pass after each deploy, before a run goes on: [health]'),
});
export type ServiceSpec = z.infer<typeof serviceSpec>;
