/** Access control lists and the attributes that lock a file, set as the system has them; skipped where it has none. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { SecretValue } from '../../src/domain/secret-value.js';
import type { SecretSlot } from '../../src/domain/slot.js';
import { openStore } from '../../src/stores/open-store.js';
import { fingerprint } from './support/env-fixture.js';

const home = mkdtempSync(join(tmpdir(), 'keyturn-lists-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const NEW = 'new-value-0987654321';

/** user::rw-, user:65534:r--, group::---, mask::r--, other::--- as the kernel keeps it. */
const LIST = ['1,6,4294967295', '2,4,65534', '4,0,4294967295', '16,4,4294967295', '32,0,4294967295'];

function python(code: string, ...args: string[]): string {
  return execFileSync('python3', ['-c', code, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
}
function setList(file: string): void {
  const code = `import os,struct,sys
entries = [tuple(map(int, e.split(','))) for e in sys.argv[2:]]
os.setxattr(sys.argv[1], 'system.posix_acl_access', struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in entries))`;
  python(code, file, ...LIST);
}
const listOf = (file: string): string =>
  python(`import os,sys; print(os.getxattr(sys.argv[1], 'system.posix_acl_access').hex())`, file);

function possible(what: (file: string) => void): boolean {
  const file = join(home, 'probe');
  writeFileSync(file, '');
  try {
    what(file);
    return true;
  } catch {
    return false;
  } finally {
    tryQuietly(() => chattr('-i', file));
    tryQuietly(() => chattr('-a', file));
    rmSync(file, { force: true });
  }
}
const chattr = (flag: string, file: string): void => void execFileSync('chattr', [flag, file], { stdio: 'pipe' });
function tryQuietly(what: () => void): void {
  try {
    what();
  } catch {
    // Not here, then.
  }
}

function place(name: string): { directory: string; slots: SecretSlot[] } {
  const directory = join(home, name);
  mkdirSync(join(directory, 'secrets'), { recursive: true });
  writeFileSync(join(directory, '.env'), 'K=old-value-1234567\n', { mode: 0o640 });
  writeFileSync(join(directory, 'secrets', 'K'), 'old-value-1234567', { mode: 0o640 });
  const stores = [
    { type: 'dotenv', file: join(directory, '.env') },
    { type: 'docker-secrets', directory: join(directory, 'secrets') },
  ] as const;
  return { directory, slots: stores.map((store) => ({ store, key: 'K', exposure: { style: 'single' } })) };
}
const fileOf = ({ store }: SecretSlot): string => (store.type === 'dotenv' ? store.file : join(store.directory, 'K'));

describe.skipIf(!possible(setList))('an access control list', () => {
  test('stays with a file that is replaced, to the byte, and so does what it withholds from the group', async () => {
    for (const slot of place('kept').slots) {
      const file = fileOf(slot);
      setList(file);
      const before = listOf(file);
      const store = openStore(slot.store, { fingerprint });
      await store.preflight(slot);
      await store.stage(slot, 'r', () => new SecretValue(NEW));
      await store.arrange(slot, 'r', 'new only');
      expect(readFileSync(file, 'utf8')).toContain(NEW);
      expect(listOf(file)).toBe(before);
    }
  });

  test('that cannot be kept is refused before anything is changed', async () => {
    const { directory, slots } = place('refused');
    const tools = join(directory, 'tools');
    mkdirSync(tools);
    // A cp that copies no lists.
    writeFileSync(join(tools, 'cp'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    const { PATH } = process.env;
    process.env['PATH'] = `${tools}:${PATH ?? ''}`;
    onTestFinished(() => void (process.env['PATH'] = PATH));
    for (const slot of slots) {
      setList(fileOf(slot));
      await expect(openStore(slot.store, { fingerprint }).preflight(slot)).rejects.toMatchObject({
        code: 'not-writable',
        message: expect.stringContaining('access control list that cannot be kept') as string,
      });
    }
    expect(readdirSync(directory).sort()).toEqual(['.env', 'secrets', 'tools']);
    expect(readdirSync(join(directory, 'secrets'))).toEqual(['K']);
  });
});

describe.each(['+i', '+a'])('chattr %s', (flag) => {
  test.skipIf(!possible((file) => chattr(flag, file)))('is found in preflight', async () => {
    for (const slot of place(`flag${flag}`).slots) {
      const file = fileOf(slot);
      chattr(flag, file);
      onTestFinished(() => chattr(flag.replace('+', '-'), file));
      await expect(openStore(slot.store, { fingerprint }).preflight(slot)).rejects.toMatchObject({
        code: 'not-writable',
        message: expect.stringContaining('immutable or append-only') as string,
        hint: expect.stringContaining('chattr -i -a') as string,
      });
    }
  });
});
