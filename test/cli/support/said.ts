/** Waits until a running program has printed something. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Running } from './keyturn.js';

export async function said(program: Running, text: string, patience = 45_000): Promise<void> {
  let all = '';
  const listen = (chunk: Buffer): void => void (all += chunk.toString());
  program.all.on('data', listen);
  const deadline = Date.now() + patience;
  while (!all.includes(text) && Date.now() < deadline && program.exitCode === null) await sleep(50);
  program.all.off('data', listen);
  expect(all).toContain(text);
}
