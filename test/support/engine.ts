/** The Docker Engine that tests use: the one DOCKER_HOST or docker's own default names, with an image that has node in it. */
import { execFileSync } from 'node:child_process';

/** Bare node on an empty root file system is enough; containers get the network of the host only. */
export const IMAGE = process.env['KEYTURN_TEST_IMAGE'] ?? 'keyturn-test/node:20';

/** Why tests on an engine cannot run here, said on standard error; null: they can. */
export function engineIsMissing(file: string): string | null {
  const why = whatIsMissing();
  if (why !== null) console.warn(`${file} is skipped: ${why}`);
  return why;
}

function whatIsMissing(): string | null {
  const ask = (...argv: string[]) => execFileSync('docker', argv, { stdio: 'pipe', timeout: 20_000, encoding: 'utf8' });
  try {
    ask('compose', 'version');
  } catch {
    return 'no docker with Compose v2 on PATH';
  }
  try {
    ask('version', '--format', '{{.Server.Version}}');
  } catch {
    return `no Docker engine answers (DOCKER_HOST is ${process.env['DOCKER_HOST'] ?? 'not set'})`;
  }
  try {
    ask('image', 'inspect', IMAGE);
  } catch {
    return `the engine has no image ${IMAGE}; KEYTURN_TEST_IMAGE names another one with node in it`;
  }
  return null;
}
