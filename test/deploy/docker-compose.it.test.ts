import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const ROOT = resolve(import.meta.dirname, '../..');
const compose = await execa('docker', ['compose', 'version'], { reject: false });

const configSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      user: z.string().optional(),
      ports: z.array(z.object({ host_ip: z.string().optional() })).optional(),
      volumes: z.array(z.object({ source: z.string() })).optional(),
    }),
  ),
});

describe.skipIf(compose.failed)('docker-compose.yml', () => {
  it('is valid with what .env.example asks for, and names each value that is missing', async () => {
    const required = await emptyVariables();
    expect(required).toHaveLength(5);
    const all = Object.fromEntries(required.map((name) => [name, 'x']));
    expect((await config(all, '--quiet')).exitCode).toBe(0);
    for (const name of required) {
      const result = await config({ ...all, [name]: '' }, '--quiet');
      expect(result.exitCode).not.toBe(0);
      expect(result.stderr).toContain(`${name} is missing a value: set it in .env`);
    }
  });

  it('opens nothing beyond this machine, pins every image, runs the worker as a user and without the Docker socket', async () => {
    const all = Object.fromEntries((await emptyVariables()).map((name) => [name, 'x']));
    const { services } = configSchema.parse(JSON.parse((await config(all, '--format', 'json')).stdout));
    expect(Object.keys(services)).toEqual(expect.arrayContaining(['postgres', 'temporal', 'temporal-ui', 'worker']));
    for (const [name, { image, ports = [], volumes = [] }] of Object.entries(services)) {
      // By digest but for what is built here.
      expect(image, name).toMatch(/^keyturn:\d+[\w.-]*$|:\d+[\w.-]*@sha256:[0-9a-f]{64}$/);
      for (const port of ports) expect(port.host_ip, name).toBe('127.0.0.1');
      expect(volumes.map(({ source }) => source)).not.toContain('/var/run/docker.sock');
    }
    expect(services.worker?.user).toMatch(/^[1-9]\d*:\d+$/);
  });
});

async function emptyVariables(): Promise<string[]> {
  const example = await readFile(join(ROOT, '.env.example'), 'utf8');
  return [...example.matchAll(/^([A-Z_]+)=$/gm)].map(([, name = '']) => name);
}

/** With these variables only: neither this process's nor a .env file's. */
function config(variables: Record<string, string>, ...flags: string[]) {
  const { PATH, HOME, DOCKER_CONFIG } = process.env;
  const env = { PATH, HOME, DOCKER_CONFIG, ...variables };
  const args = ['compose', '--env-file', '/dev/null', '--file', join(ROOT, 'docker-compose.yml'), 'config', ...flags];
  return execa('docker', args, { cwd: ROOT, env, extendEnv: false, reject: false });
}
