/** What the written runbooks ask for stands in the inventories. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { pathOf } from '../../src/domain/place.js';
import type { RotationPlan } from '../../src/domain/plan.js';
import type { Reason } from '../../src/domain/reason.js';
import { conflictsOf, expandBackups, planBackup } from '../../src/inventory/backups.js';
import { loadInventory } from '../../src/inventory/load.js';
import { planRecovery } from '../../src/inventory/recovery.js';
import { resolvePlan } from '../../src/inventory/resolve.js';

const inventory = await loadInventory(fileURLToPath(new URL('../../examples/', import.meta.url)));

function plan(ref: string, reason: Reason = 'routine'): RotationPlan {
  const [system = '', environment = '', secret = ''] = ref.split('/');
  const request = { operator: 'ana@example.test', reason, requestId: 'request', note: null, variables: {} };
  return resolvePlan(inventory, { ref: { system, environment, secret }, ...request });
}

function secretsOf(
  system: string,
): Record<string, { kind: string; cadence?: string | undefined; latest?: string | undefined }> {
  return inventory.systems.find(({ spec }) => spec.system === system)!.spec.secrets;
}

describe('mediavault (document 000)', () => {
  it('lists every secret in its scope, with the routine target of 90 days', () => {
    const secrets = secretsOf('mediavault');
    expect(Object.keys(secrets).sort()).toEqual([
      'BARCODE_API_KEY',
      'DB_PASSWORD',
      'INTEGRATION_ENCRYPTION_KEY',
      'PLEX_TOKEN',
      'SESSION_SECRET',
      'SMTP_PASSWORD',
      'TMDB_API_KEY',
      'VISION_API_KEY',
    ]);
    expect(secrets.SESSION_SECRET).toMatchObject({ kind: 'session', cadence: '90d' });
    expect(secrets.INTEGRATION_ENCRYPTION_KEY).toMatchObject({ kind: 'encryption', cadence: '90d' });
  });

  it('replaces SESSION_SECRET at once, ends all sessions and asks a second person first', () => {
    const made = plan('mediavault/production/SESSION_SECRET');
    expect(made).toMatchObject({ method: 'replace', generator: 'hex:32', minimumLength: 32, overlap: null });
    expect(made.revocation).toMatchObject({ revoke: 'DELETE FROM user_sessions' });
    expect(made.approval).toMatchObject({ gates: ['promote'], requesterMayApprove: false, onExpiry: 'deny' });
  });

  it('has a second place to run, deployed as the document does it', () => {
    expect(plan('mediavault/compose/SESSION_SECRET').services[0]!.deploy).toMatchObject({
      type: 'compose',
      envFile: '.env',
      services: ['backend'],
      action: 'up',
    });
  });
});

describe('mgmt-vibe (document 001)', () => {
  it('accepts the old secret for 24 hours, and in a leak not a second longer', () => {
    const made = plan('mgmt-vibe/production/SESSION_SECRET');
    expect(made).toMatchObject({ method: 'overlap (list)', cadence: '90d', revocation: null });
    expect(made.overlap).toMatchObject({ style: 'list', tokenLifetime: '24h' });
    expect(plan('mgmt-vibe/production/SESSION_SECRET', 'leak')).toMatchObject({
      overlap: null,
      revocation: { revoke: 'DELETE FROM sessions' },
    });
  });

  it('treats development, staging and production as differently as the document asks', () => {
    const [development, staging, production] = ['development', 'staging', 'production'].map((environment) =>
      plan(`mgmt-vibe/${environment}/SESSION_SECRET`),
    );
    expect(development).toMatchObject({ generator: 'test:32', cadence: null });
    expect(staging).toMatchObject({ generator: 'hex:32', cadence: '30d', approval: { gates: ['promote'] } });
    expect(production).toMatchObject({
      generator: 'hex:32',
      cadence: '90d',
      approval: { gates: ['promote', 'retire'] },
    });
    const files = [development, staging, production].map((made) => pathOf(made!.slot.store));
    expect(new Set(files).size).toBe(3);
  });

  it('lists every secret it names, with its cadence', () => {
    const cadences = Object.fromEntries(
      Object.entries(secretsOf('mgmt-vibe')).map(([name, { cadence }]) => [name, cadence]),
    );
    expect(cadences).toEqual({
      SESSION_SECRET: '90d',
      DATABASE_URL: '30d',
      OPENAI_API_KEY: undefined,
      STRIPE_SECRET_KEY: undefined,
      STRIPE_PUBLISHABLE_KEY: undefined,
      ENCRYPTION_KEY: '180d',
    });
  });
});

describe('hms (document 002)', () => {
  it('makes JWT_SECRET as token_urlsafe(48) does, and verifies login, refresh and impersonation', () => {
    const made = plan('hms/local/JWT_SECRET');
    expect(made).toMatchObject({ generator: 'base64url:48', minimumLength: 32, method: 'replace', window: null });
    expect(made.verify.map(({ name }) => name)).toEqual(['sign-in', 'refresh', 'impersonation']);
    expect(made.proof).toMatchObject({ type: 'jwt', capture: 'accessToken' });
  });

  it('waits for a window in production, but not when something may have leaked', () => {
    expect(plan('hms/production/JWT_SECRET').window).toMatchObject({ stays: '2h' });
    expect(plan('hms/production/JWT_SECRET', 'leak').window).toBe(null);
    expect(pathOf(plan('hms/production/JWT_SECRET').slot.store)).toBe('/run/hms/backend.env');
  });
});

describe('messaging (document 003)', () => {
  it('lists every secret in its scope, with its frequency', () => {
    const rows = Object.entries(secretsOf('messaging')).map(([name, { kind, cadence, latest }]) => [
      name,
      [kind, cadence, latest],
    ]);
    expect(Object.fromEntries(rows)).toEqual({
      JWT_ACCESS_SECRET: ['signing', '90d', undefined],
      JWT_REFRESH_SECRET: ['signing', '90d', undefined],
      METRICS_AUTH_TOKEN: ['token', '180d', undefined],
      DATABASE_URL: ['database', '180d', '365d'],
      SMTP_PASSWORD: ['provider', '180d', undefined],
      TWILIO_AUTH_TOKEN: ['provider', '180d', undefined],
      S3_SECRET_ACCESS_KEY: ['provider', '180d', undefined],
    });
  });

  it.each([
    ['JWT_ACCESS_SECRET', '15m', 'accessToken'],
    ['JWT_REFRESH_SECRET', '7d', 'refreshToken'],
  ])(
    'makes %s of 32 random bytes in base64, and accepts both for as long as its tokens live',
    (name, life, capture) => {
      const made = plan(`messaging/production/${name}`);
      expect(made).toMatchObject({
        generator: 'base64:32',
        minimumLength: 32,
        method: 'overlap (previous variable)',
        overlap: { style: 'previous', variable: `${name}_PREVIOUS`, tokenLifetime: life },
        revocation: null,
        proof: { type: 'jwt', capture },
        approval: { gates: ['promote', 'retire'] },
      });
      expect(made.monitors.map((monitor) => monitor.name)).toEqual(['healthy', 'server-errors', 'refresh-reuse']);
      // A rehearsal takes no longer than staging's tokens live.
      expect(plan(`messaging/staging/${name}`).overlap!.tokenLifetime).toMatch(/^(30|60)s$/);
    },
  );

  it.each(['JWT_ACCESS_SECRET', 'JWT_REFRESH_SECRET'])(
    'in a leak of %s replaces it at once, revokes all refresh tokens and reminds of passwords',
    (name) => {
      const made = plan(`messaging/production/${name}`, 'leak');
      expect(made.overlap).toBe(null);
      expect(made.revocation!.revoke).toContain('UPDATE sign_ins SET revoked_at');
      const spec = inventory.systems.find(({ spec: one }) => one.system === 'messaging')!.spec;
      expect(spec.secrets[name]!.notes).toContain('force a password reset for all users');
    },
  );

  it('presents METRICS_AUTH_TOKEN itself to prove the old one dead', () => {
    expect(plan('messaging/production/METRICS_AUTH_TOKEN').proof).toMatchObject({ type: 'value', refused: [401] });
    expect(plan('messaging/staging/METRICS_AUTH_TOKEN').method).toBe('replace');
  });

  it('has two environments that share no file, port, database or account', () => {
    const of = (environment: string): RotationPlan => plan(`messaging/${environment}/JWT_ACCESS_SECRET`, 'leak');
    const [staging, production] = [of('staging'), of('production')];
    expect(pathOf(staging.slot.store)).not.toBe(pathOf(production.slot.store));
    expect([staging, production].map(({ revocation }) => revocation!.database)).toEqual([
      { env: 'MESSAGING_STAGING_ADMIN_URL' },
      { env: 'MESSAGING_PRODUCTION_ADMIN_URL' },
    ]);
    const inputs = [staging, production].map(({ verify }) => verify[0]!);
    expect(inputs.map((check) => check.type === 'http-flow' && check.inputs)).toEqual([
      { password: { env: 'MESSAGING_STAGING_SMOKE_PASSWORD' } },
      { password: { env: 'MESSAGING_PRODUCTION_SMOKE_PASSWORD' } },
    ]);
    const urls = [staging, production].map(({ services }) => services[0]!.health[0]!);
    expect(new Set(urls.map((check) => check.type === 'http' && check.url)).size).toBe(2);
  });
});

describe('arena (document 004)', () => {
  it('has two critical secrets, and says what follows if one is lost', () => {
    const { spec } = inventory.systems.find((one) => one.spec.system === 'arena')!;
    const rows = Object.entries(spec.secrets).map(([name, { kind, critical, generator }]) => [
      name,
      [kind, critical, generator],
    ]);
    expect(Object.fromEntries(rows)).toEqual({
      SECRET_KEY: ['signing', true, 'hex:32'],
      CREDENTIAL_ENCRYPTION_KEY: ['encryption', true, 'fernet'],
    });
    for (const { ifLost } of Object.values(spec.secrets)) expect(ifLost).toBeDefined();
  });

  it('keeps them as mounted files in production, and in .env in development only', () => {
    const made = plan('arena/production/SECRET_KEY');
    expect(made.slot).toMatchObject({
      store: { type: 'docker-secrets' },
      key: 'secret_key',
      exposure: { style: 'list' },
    });
    expect(pathOf(made.slot.store)).toMatch(/\/examples\/arena\/secrets$/);
    expect(made.approval.gates).toEqual(['promote', 'retire']);
    expect(plan('arena/development/SECRET_KEY')).toMatchObject({
      generator: 'test:32',
      slot: { store: { type: 'dotenv' }, key: 'SECRET_KEY' },
      approval: { gates: [] },
      window: null,
    });
  });

  it('accepts the old SECRET_KEY for as long as its tokens live, and in a leak not a second longer', () => {
    expect(plan('arena/production/SECRET_KEY').overlap).toMatchObject({ style: 'list', tokenLifetime: '30m' });
    expect(plan('arena/production/SECRET_KEY', 'leak').overlap).toBe(null);
  });

  it('rotates CREDENTIAL_ENCRYPTION_KEY in a window, application and worker stopped, all rows at once', () => {
    const { spec } = inventory.systems.find((one) => one.spec.system === 'arena')!;
    expect(spec.secrets.CREDENTIAL_ENCRYPTION_KEY).toMatchObject({
      services: ['app', 'worker'],
      maintenanceWindow: { stays: '2h' },
      encryption: { mode: 'atomic', key: 'fernet', columns: [{ table: 'api_credentials', column: 'encrypted_value' }] },
    });
    for (const name of ['app', 'worker']) {
      expect(spec.services![name]!.deploy).toMatchObject({ type: 'command', stop: expect.any(Array) as string[] });
    }
  });

  it('backs both up for two recipients, never in one archive or place, and as printable codes', async () => {
    const recipients = await Promise.all([1, 2].map(async () => identityToRecipient(await generateIdentity())));
    const [ARENA_BACKUP_RECIPIENT, ARENA_SAFE_RECIPIENT] = recipients;
    const refs = expandBackups(inventory, { system: 'arena' });
    const plans = refs.map((ref) =>
      planBackup(inventory, {
        ref,
        operator: 'ana@example.test',
        note: null,
        requestId: 'request',
        at: '2026-11-21T00:00:00Z',
        variables: { ARENA_BACKUP_RECIPIENT, ARENA_SAFE_RECIPIENT },
      }),
    );
    expect(plans.map(({ ref, secrets }) => [ref.environment, secrets.map((one) => one.ref.secret)])).toEqual([
      ['production', ['CREDENTIAL_ENCRYPTION_KEY']],
      ['production', ['SECRET_KEY']],
    ]);
    for (const made of plans) {
      expect(made).toMatchObject({ encryption: { format: 'age', recipients }, maxAge: '90d', qr: 'svg' });
      expect(conflictsOf(inventory, made, {})).toEqual([]);
    }
    expect(new Set(plans.map(({ directory }) => directory)).size).toBe(2);
    // Whoever has the clone has no key to any backup.
    const text = await readFile(new URL('../../examples/arena/system.yaml', import.meta.url), 'utf8');
    expect(text).not.toMatch(/AGE-SECRET-KEY|age1/);
  });

  it('after a lost key names what is to be entered again, and switches the affected arenas on (Recovery procedure)', () => {
    const offered = { offered: [], identity: null, passphrase: null, variables: {} };
    const recovered = planRecovery(inventory, plan('arena/production/CREDENTIAL_ENCRYPTION_KEY', 'suspicion'), offered);
    expect(recovered.recovery).toMatchObject({
      label: ['platform', 'credential_name'],
      enable: [{ name: 'enable-arenas', type: 'http-flow' }],
    });
  });
});

describe('database credentials', () => {
  const swapOf = (system: string, environment: string, secret: string): Record<string, unknown> => {
    const { spec } = inventory.systems.find((one) => one.spec.system === system)!;
    const override = spec.environments.find(({ name }) => name === environment)!.secrets?.[secret];
    return { ...spec.secrets[secret]!.swap, ...(override ? override.swap : {}) };
  };

  it('messaging keeps ownership with a group, and drops the old user after 24 h in production (document 003)', () => {
    expect(swapOf('messaging', 'production', 'DATABASE_URL')).toMatchObject({
      database: 'app',
      strategy: 'group',
      credential: { in: 'url' },
      delay: '24h',
      watchEvery: '1h',
    });
    expect(swapOf('messaging', 'staging', 'DATABASE_URL')).toMatchObject({ strategy: 'group', delay: '1h' });
    const { environments } = inventory.systems.find(({ spec }) => spec.system === 'messaging')!.spec;
    expect(environments.map(({ name }) => name)).toEqual(['staging', 'production']);
    expect(environments[1]!.secrets!.DATABASE_URL).toMatchObject({ approval: { gates: ['wave', 'drop'] } });
  });

  it('mgmt-vibe gives a new role the same rights (document 001)', () => {
    expect(swapOf('mgmt-vibe', 'production', 'DATABASE_URL')).toMatchObject({ strategy: 'copy', delay: '24h' });
  });

  it('mediavault and hms keep their user name (documents 000 and 002)', () => {
    expect(swapOf('mediavault', 'production', 'DB_PASSWORD')).toMatchObject({
      strategy: 'same-role',
      credential: { in: 'password', user: '${databaseUser}' },
    });
    expect(swapOf('hms', 'local', 'DATABASE_URL')).toMatchObject({ strategy: 'same-role', credential: { in: 'url' } });
  });
});

it('every system says whom to call', () => {
  for (const { spec } of inventory.systems) expect(Object.keys(spec.contacts ?? {})).toContain('security');
});
