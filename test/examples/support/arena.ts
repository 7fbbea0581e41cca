/** What is particular to the example that runs on Python: its keys are files, and control.py restarts and stops its services. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { ExampleSystem } from '../../../src/demo/systems.js';
import { arenaPython } from '../../../src/demo/systems/programs.js';
import { ask, EXAMPLES, variable, type ReloadResult } from './running-system.js';

/** null: arena cannot run here, which is printed. */
export const python: string | null = await arenaPython(EXAMPLES).catch((error: unknown) => {
  console.warn(`skipped: ${error instanceof Error ? error.message : String(error)}`);
  return null;
});

export async function control(system: ExampleSystem, verb: string, service: string): Promise<ReloadResult> {
  const argv = [join(EXAMPLES, 'arena', 'control.py'), verb, service, '--control', variable(system, '_CONTROL')];
  const { exitCode, all } = await execa('python3', argv, { all: true, reject: false, timeout: 100_000 });
  return { code: exitCode, output: all };
}

export function secretFile(system: ExampleSystem, name: string): string {
  return join(variable(system, '_SECRETS_DIRECTORY'), name);
}

export function readSecret(system: ExampleSystem, name: string): string {
  return readFileSync(secretFile(system, name), 'utf8');
}

export function writeSecret(system: ExampleSystem, name: string, text: string): void {
  chmodSync(secretFile(system, name), 0o600);
  writeFileSync(secretFile(system, name), text);
}

export async function tokenOf(system: ExampleSystem, username = 'smoke'): Promise<string> {
  const json = { username, password: system.password.reveal() };
  const { status, json: answer } = await ask(system, '/api/auth/login', { json });
  if (status !== 200) throw new Error(`${username} cannot sign in: ${status}`);
  return answer['accessToken'] as string;
}
