import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { credentialResolver } from '../../src/activities/credentials.js';
import { redact } from '../../src/domain/secret-value.js';

describe('what Keyturn signs in with', () => {
  it('comes from a variable of the worker', async () => {
    const resolve = credentialResolver({ ADMIN_URL: 'postgresql://admin:s3cr3t-and-long@db/app' });
    expect((await resolve({ env: 'ADMIN_URL' })).reveal()).toBe('postgresql://admin:s3cr3t-and-long@db/app');
  });

  it('or from a file, whose last newline is not part of it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'keyturn-credentials-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const file = join(directory, 'token');
    await writeFile(file, ' a token with spaces \r\n');
    expect((await credentialResolver({})({ file })).reveal()).toBe(' a token with spaces ');
  });

  it.each([
    [{ env: 'NOT_SET' }, 'the worker has no variable NOT_SET'],
    [{ file: '/nowhere/token' }, 'the worker has no file /nowhere/token'],
  ])('that is missing is named: %j', async (ref, message) => {
    await expect(credentialResolver({ NOT_SET: '' })(ref)).rejects.toMatchObject({
      code: 'credential-missing',
      message,
    });
  });

  it('may have a bare % in its password, which whoever connects with it finds fault with', async () => {
    const url = 'postgresql://admin:100%-s3cr3t@db/app';
    expect((await credentialResolver({ URL: url })({ env: 'URL' })).reveal()).toBe(url);
    expect(redact('password 100%-s3cr3t was refused')).toBe('password [secret] was refused');
  });

  it('inside a URL is redacted also where a driver prints the password alone', async () => {
    await credentialResolver({ URL: 'postgresql://admin:p%40ss-w%2Frd-1234@db/app' })({ env: 'URL' });
    expect(redact('password p@ss-w/rd-1234 was refused')).toBe('password [secret] was refused');
  });
});
