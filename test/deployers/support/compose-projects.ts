/** Compose projects on the engine of these tests, each in a directory of its own. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Deployer } from '../../../src/deployers/deployer.js';
import { openDeployer } from '../../../src/deployers/open-deployer.js';
import { deploySpec, type DeploySpec } from '../../../src/domain/specs/service.js';
import { IMAGE } from '../../support/engine.js';
const directories: string[] = [];

/** Taken down by `removeProjects`. */
export class Project {
  readonly directory = mkdtempSync(join(tmpdir(), 'keyturn-compose-'));
  readonly name = `keyturn-test-${randomBytes(4).toString('hex')}`;
  readonly envFile = join(this.directory, '.env');

  constructor(services: Record<string, object>, more: object = {}) {
    directories.push(this.directory);
    this.write('compose.yml', JSON.stringify({ name: this.name, services, ...more }));
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.directory, file), text, { mode: 0o600 });
  }

  deployer(more: object = {}, worker: NodeJS.ProcessEnv = process.env): Deployer {
    return openDeployer(this.spec(more), 'backend', worker);
  }

  spec(more: object = {}): DeploySpec {
    return deploySpec.parse({ type: 'compose', directory: this.directory, envFile: '.env', timeout: '60s', ...more });
  }

  compose(...argv: string[]): string {
    return execFileSync('docker', ['compose', ...argv], { cwd: this.directory, encoding: 'utf8', stdio: 'pipe' });
  }

  /** By the engine itself, since the container was made. */
  restarts(service: string): number {
    const id = this.compose('ps', '-a', '-q', service).trim();
    return Number(execFileSync('docker', ['inspect', '-f', '{{.RestartCount}}', id], { encoding: 'utf8' }));
  }
}

export function removeProjects(): void {
  for (const directory of directories) {
    // `down` wants every variable of the project to be readable, whatever the test left in the env file.
    writeFileSync(join(directory, '.env'), 'SECRET=x\nPORT=1\n');
    execFileSync('docker', ['compose', 'down', '--timeout', '0', '--remove-orphans'], {
      cwd: directory,
      stdio: 'pipe',
    });
    rmSync(directory, { recursive: true, force: true });
  }
}

export const node = (code: string, more: object = {}) => ({
  image: IMAGE,
  network_mode: 'host',
  init: false,
  stop_grace_period: '0s',
  command: ['node', '-e', code],
  ...more,
});

/** Shows what its environment holds, as an application under the new value would use it. */
export const SHOW = `require('node:http').createServer((q, s) => s.end(process.env.SECRET)).listen(process.env.PORT, '127.0.0.1')`;
