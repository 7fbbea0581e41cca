import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDirectory } from '../../src/processes/program-lock.js';

const user = process.geteuid?.() ?? 0;
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'keyturn-locks-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('locks do not stand in a temporary directory, where any account could make their folder first', () => {
  const path = lockDirectory();
  expect(path.startsWith(tmpdir()) || path.startsWith('/tmp')).toBe(false);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test('a place that cannot be made, is a file or leads elsewhere is passed over', () => {
  const [file, link, good] = [join(home, 'file'), join(home, 'link'), join(home, 'state', 'programs')];
  writeFileSync(file, '');
  mkdirSync(join(home, 'elsewhere'));
  symlinkSync(join(home, 'elsewhere'), link);
  expect(lockDirectory(user, [join(file, 'below'), file, link, good])).toBe(good);
  chmodSync(good, 0o755);
  expect(lockDirectory(user, [good])).toBe(good);
  expect(statSync(good).mode & 0o777).toBe(0o700);
});

test('one that belongs to another account is never used', () => {
  const theirs = join(home, 'theirs');
  mkdirSync(theirs);
  expect(() => lockDirectory(user + 1, [theirs])).toThrow(`none of ${theirs} is a directory of this worker's user`);
});
