#!/usr/bin/env node
/** The command `keyturn`. Keep it light: what a verb needs is loaded when that verb runs. */
import { run } from './program.js';

// `keyturn log | head` closes the pipe early, which is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

// The exit code is set, not forced: standard output may still be on its way through a pipe.
process.exitCode = await run(process.argv);
