import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { looksSecret } from '../../src/domain/secret-looking.js';

/** Put together here, so that scanners of this repository find nothing. */
const join_ = (...parts: string[]): string => parts.join('');

describe('looks like a secret', () => {
  test.each([
    ['a Stripe key', join_('sk_', 'live_', 'x')],
    ['a Stripe key', join_('rk_', 'test_', 'x')],
    ['an AWS access key', join_('AK', 'IA', 'IOSFODNN7EXAMPLE')],
    ['a GitHub token', join_('gh', 'p_', '0123456789abcdefghij')],
    ['a GitLab token', join_('glp', 'at-', 'abcdefgh1234')],
    ['a Slack token', join_('xox', 'b-', '12345678-abc')],
    ['an API key', join_('sk-', 'proj-', 'abcdefghijklmnopqrst')],
    ['a Vault token', join_('hv', 's.', 'CAESIabcdefghijklmn')],
    ['a private key', join_('-----BEGIN ', 'RSA PRIVATE KEY-----')],
    ['a private key', join_('AGE-SECRET', '-KEY-1QQQ')],
    ['a PEM block', '-----BEGIN CERTIFICATE-----'],
    ['a signed token (JWT)', join_('ey', 'JhbGciOiJIUzI1NiJ9', '.ey', 'JzdWIiOiIxIn0abc', '.x')],
    ['a password hash', join_('SCRAM', '-SHA-256$4096:abc')],
    ['credentials in an Authorization header', 'Authorization: Basic YWxhZGRpbjpvcGVuMTIz'],
    ['a URL with a password', 'postgres://arena:hunter2@db/arena'],
    ['a URL with a password', 'url: redis://:hunter2@cache:6379'],
    ['a URL with a password', 'https://${user}:${password}@host/'],
  ])('%s', (what, text) => {
    expect(looksSecret(`key: ${text}`)?.what).toBe(what);
  });

  test('a random value that is a folder of a path', () => {
    for (const name of [
      'a3f1c2e9b7d4a3f1c2e9b7d40f6e5d8c',
      'hook-a3f1c2e9b7d4a3f1c2e9b7d40f6e5d8c',
      'q9Zx_4Tb-7LmP2vR8sK1wE5yU3',
    ])
      expect(looksSecret(`/srv/hooks/${name}/x`)?.what).toBe('a random value');
  });

  test.each(['hex', 'base64', 'base64url'] as const)('32 random bytes in %s, nearly always', (encoding) => {
    let missed = 0;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        // Hashed: fast-check likes zeros, which nobody's generator gives.
        const random = createHash('sha256').update(seed).digest().toString(encoding);
        if (looksSecret(`SECRET_KEY: ${random}`) === null) missed++;
      }),
      { numRuns: 500 },
    );
    expect(missed).toBeLessThanOrEqual(5);
  });
});

describe('looks harmless', () => {
  test.each([
    '/srv/k8s2prod7/app4x9r2/b1lling3/env',
    '/tmp/keyturn-e2e-compose-aB3dE9/mediavault',
    'deploy/r3gion4/h0st17b/st4ck9/secrets',
    'cat /var/lib/c0ntainer7x/v0lume12/d4ta/env',
    'INTEGRATION_ENCRYPTION_KEY_PREVIOUS',
    'credential_encryption_key',
    'settings.credential_encryption_key',
    'refreshTokenReuseDetectionCounter',
    '/var/lib/postgresql/15/main/pg_hba.conf',
    '/tmp/keyturn-e2e-a8Fj3k/examples/mediavault/.env.production',
    '/home/ana/Projects2026/KeyturnDemo3/systems/HMS2/system.yaml',
    'http://127.0.0.1:45678/api/admin/impersonate/start',
    'https://wiki.example.test/mgmt-vibe/incident-response-2026-11-21',
    'postgres://db.example.test:5432/arena',
    'postgres://arena@db.example.test:5432/arena',
    'https://user:${inputs.password}@host/',
    'Bearer ${captured.accessToken}',
    'Authorization: Bearer tokens are checked',
    'SELECT count(*)::int FROM user_sessions WHERE expire > now()',
    "SELECT id FROM activity_log WHERE created_at > '2026-11-21T09:30:00.000Z'",
    '123e4567-e89b-12d3-a456-426614174000',
    'ghcr.io/temporalio/auto-setup:1.29.1',
    'postgres@sha256:efedf3595f1d6f415c08568ba171029bf54052e754cc9f030e3f2412b21f3d67',
    'abcdefghijklmnopqrstuvwxyz',
    '0123456789',
    'docker compose --env-file .env exec -T db psql',
    'Donaudampfschifffahrtselektrizitaetenhauptbetriebswerk',
    'eu-central-1b-production-cluster-2-node-17',
    '===============================================',
  ])('%s', (text) => {
    expect(looksSecret(text)).toBeNull();
  });

  test('every line of the documentation, examples and sources of inventories', () => {
    const files = ['src', 'examples', 'test/fixtures/inventory/runbooks'].flatMap((directory) =>
      readdirSync(directory, { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(?:ya?ml|md|ts)$/.test(name) && !name.includes('node_modules'))
        .map((name) => join(directory, name)),
    );
    const found = files.flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => looksSecret(line)?.what === 'a random value')
        .map((line) => `${file}: ${line}`),
    );
    expect(files.length).toBeGreaterThan(30);
    expect(found).toEqual([]);
  });
});
