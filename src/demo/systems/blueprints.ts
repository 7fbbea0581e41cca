/** What is particular to each example system: its settings, its fresh secrets, and the variables its inventory reads. */
import { randomBytes } from 'node:crypto';
import { SecretValue } from '../../domain/secret-value.js';

/** Systems of which one environment runs, with one session or signing secret to rotate. */
export const EXAMPLE_NAMES = ['mediavault', 'mgmt-vibe', 'hms'] as const;
/** All systems, in the order of the runbooks that they are described by. */
export const SYSTEM_NAMES = [...EXAMPLE_NAMES, 'messaging', 'arena'] as const;
export type ExampleName = (typeof SYSTEM_NAMES)[number];

export interface Database {
  readonly host: string;
  readonly port: string;
  readonly name: string;
  readonly role: string;
  readonly password: SecretValue;
}

/** One environment of a system, as it is run here. */
export interface Blueprint {
  /** Its name in the inventory. */
  readonly environment: string;
  /**
   * Prefix of the variables that its inventory reads: `PREFIX_PORT`, `PREFIX_ENV_FILE`, `PREFIX_PID_FILE`, `PREFIX_ADMIN_URL`; with
   * secrets in files also `PREFIX_SECRETS_DIRECTORY`, and `PREFIX_HOME` and `PREFIX_CONTROL` in the place of a pid file.
   */
  readonly prefix: string;
  /** The variable with the password of the smoke-test account. */
  readonly smokeVariable: string;
  /** The secret whose rotation this version carries through. */
  readonly secret: string;
  /** Accounts that traffic signs in with. */
  readonly users: readonly string[];
  /** The lines of its .env that differ from system to system. */
  readonly settings: (database: Database) => Readonly<Record<string, string>>;
  /** Secrets that it has as mounted files: name of the file → value. Its .env says where they are, in `NAME_FILE`. */
  readonly secretFiles?: () => Readonly<Record<string, string>>;
  /** Media for its backups: `PREFIX_NAME_BACKUPS` says where each is; backup-places.ts has the other variables. */
  readonly media?: readonly string[];
  /** Variables that its inventory reads besides. */
  readonly variables?: (database: Database) => Readonly<Record<string, string>>;
}

/** What `openssl rand -hex 32` prints (runbooks 000 and 001). */
const hex32 = (): string => fresh(randomBytes(32).toString('hex'));
/** What `openssl rand -base64 32` prints (runbook 003). */
const base64of32 = (): string => fresh(randomBytes(32).toString('base64'));
/** What Python's `secrets.token_urlsafe(48)` prints (runbook 002). */
const urlsafe48 = (): string => fresh(randomBytes(48).toString('base64url'));
/** What `Fernet.generate_key()` prints (runbook 004). */
const fernetKey = (): string => fresh(`${randomBytes(32).toString('base64url')}=`);
/** A provider's key as nobody has issued it. */
const invented = (provider: string): string => fresh(`invented-${provider}-${randomBytes(12).toString('hex')}`);

const USERS = ['ana', 'ben', 'carla', 'dimitri'] as const;

export const BLUEPRINTS: Readonly<Record<(typeof EXAMPLE_NAMES)[number], Blueprint>> = {
  mediavault: {
    environment: 'production',
    prefix: 'MEDIAVAULT',
    smokeVariable: 'MEDIAVAULT_SMOKE_PASSWORD',
    secret: 'SESSION_SECRET',
    users: USERS,
    settings: (database) => ({
      SESSION_SECRET: hex32(),
      INTEGRATION_ENCRYPTION_KEY: hex32(),
      DB_HOST: database.host,
      DB_PORT: database.port,
      DB_USER: database.role,
      DB_PASSWORD: database.password.reveal(),
      POSTGRES_DB: database.name,
      TMDB_API_KEY: invented('tmdb'),
      BARCODE_API_KEY: invented('barcode'),
      VISION_API_KEY: invented('vision'),
      PLEX_TOKEN: invented('plex'),
      SMTP_PASSWORD: invented('smtp'),
    }),
    variables: ({ role }) => ({ MEDIAVAULT_DB_USER: role }),
  },
  'mgmt-vibe': {
    environment: 'staging',
    prefix: 'MGMT_VIBE_STAGING',
    smokeVariable: 'MGMT_VIBE_SMOKE_PASSWORD',
    secret: 'SESSION_SECRET',
    users: USERS,
    settings: (database) => ({
      SESSION_SECRET: hex32(),
      // As long as the inventory's tokenLifetime for staging: the overlap outlives every cookie.
      SESSION_MAX_AGE_SECONDS: '30',
      DATABASE_URL: databaseUrl(database),
      OPENAI_API_KEY: invented('openai'),
      STRIPE_PUBLISHABLE_KEY: invented('stripe-publishable'),
      STRIPE_SECRET_KEY: invented('stripe-secret'),
      ENCRYPTION_KEY: hex32(),
    }),
  },
  hms: {
    environment: 'local',
    prefix: 'HMS',
    smokeVariable: 'HMS_SMOKE_PASSWORD',
    secret: 'JWT_SECRET',
    users: ['guest', ...USERS],
    settings: (database) => ({ JWT_SECRET: urlsafe48(), DATABASE_URL: databaseUrl(database) }),
  },
};

const MORE_USERS = [...USERS, 'emil', 'fatima', 'greta', 'hugo'];

/** Both environments run, each with a database, a role and processes of its own. */
export const MESSAGING: readonly [staging: Blueprint, production: Blueprint] = [
  {
    environment: 'staging',
    prefix: 'MESSAGING_STAGING',
    smokeVariable: 'MESSAGING_STAGING_SMOKE_PASSWORD',
    secret: 'DATABASE_URL',
    users: MORE_USERS,
    // As long as the inventory's tokenLifetime for staging: an overlap outlives every token.
    settings: (database) => messaging(database, { ACCESS_TOKEN_SECONDS: '30', REFRESH_TOKEN_SECONDS: '60' }),
  },
  {
    environment: 'production',
    prefix: 'MESSAGING_PRODUCTION',
    smokeVariable: 'MESSAGING_PRODUCTION_SMOKE_PASSWORD',
    secret: 'DATABASE_URL',
    users: MORE_USERS,
    settings: (database) => messaging(database, { ACCESS_TOKEN_SECONDS: '900', REFRESH_TOKEN_SECONDS: '604800' }),
  },
];

export const ARENA: Blueprint = {
  environment: 'production',
  prefix: 'ARENA',
  smokeVariable: 'ARENA_SMOKE_PASSWORD',
  secret: 'SECRET_KEY',
  users: USERS,
  settings: (database) => ({
    DATABASE_URL: databaseUrl(database),
    ACCESS_TOKEN_EXPIRE_MINUTES: '30',
    SEED_CREDENTIALS: '8',
  }),
  secretFiles: () => ({ secret_key: hex32(), credential_encryption_key: fernetKey() }),
  media: ['encryption-key', 'signing-key'],
};

/** The environments of a system that run, in rollout order. */
export function environmentsOf(name: ExampleName): readonly Blueprint[] {
  switch (name) {
    case 'messaging':
      return MESSAGING;
    case 'arena':
      return [ARENA];
    default:
      return [BLUEPRINTS[name]];
  }
}

function messaging(database: Database, lifetimes: Readonly<Record<string, string>>): Record<string, string> {
  return {
    JWT_ACCESS_SECRET: base64of32(),
    JWT_REFRESH_SECRET: base64of32(),
    METRICS_AUTH_TOKEN: base64of32(),
    ...lifetimes,
    DATABASE_URL: databaseUrl(database),
    DATABASE_POOL_MIN: '3',
    DATABASE_POOL_MAX: '10',
    SMTP_PASSWORD: invented('smtp'),
    TWILIO_AUTH_TOKEN: invented('twilio'),
    S3_ACCESS_KEY_ID: invented('s3-id'),
    S3_SECRET_ACCESS_KEY: invented('s3'),
  };
}

function databaseUrl({ host, port, name, role, password }: Database): string {
  return fresh(`postgresql://${role}:${password.reveal()}@${host}:${port}/${name}`);
}

/** Known to `redact` from birth. */
function fresh(text: string): string {
  return new SecretValue(text).reveal();
}
