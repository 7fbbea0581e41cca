/**
 * Runs an application as several instances on one port and replaces them without refusing a request.
 *
 * The first process is the primary: it reads the settings, forks INSTANCES workers (default 2), and on SIGHUP reads the
 * settings again and puts a new generation of workers in the place of the old one. PID_FILE tells reload.js where it is.
 */
import cluster from 'node:cluster';
import { runPrimary } from './primary.js';
import { runWorker } from './worker.js';

/**
 * @typedef {object} Application
 * @property {import('node:http').RequestListener} handler
 * @property {() => Promise<void>} close Called when the last request has been answered.
 */

/**
 * @param {object} options
 * @param {string} options.name
 * @param {number} options.port Unless PORT says otherwise.
 * @param {(env: NodeJS.ProcessEnv) => Promise<Application>} options.create Rejects when the settings do not allow a start.
 */
export async function serve(options) {
  if (cluster.isPrimary) await runPrimary(options.name);
  else await runWorker(options);
}
