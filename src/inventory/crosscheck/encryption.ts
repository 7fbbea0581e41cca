/** Encryption keys: that what an inventory says of one fits together, and that nothing is said that would not be heeded. */
import type { KeyForm } from '../../domain/specs/ciphertext.js';
import type { ProtectedColumn } from '../../domain/specs/encryption.js';
import { formatOf } from '../encryption.js';
import { strengthOf } from '../generator-strength.js';
import { generatorOf, type MergedEncryption, type MergedEnvironment, type MergedSecret } from '../merge.js';
import type { Path } from '../problems.js';
import { suggest } from '../suggest.js';
import type { Report } from './findings.js';

/** What only other kinds have: said of an encryption key it would be passed over in silence. */
const FOREIGN = {
  overlap: 'encryption.bothKeys says how the application takes two keys',
  revokeSessions: 'a new encryption key ends no session',
  proof: 'that no row reads under the old key is proven by reading them all',
} as const;

/** The generators whose values are what a form expects: 32 bytes for AES-256. */
const GENERATORS: Readonly<Record<Extract<KeyForm, string>, string>> = {
  fernet: 'fernet',
  hex: 'hex:32',
  base64: 'base64:32',
  base64url: 'base64url:32',
  // 32 characters, which are their own bytes.
  raw: 'hex:16',
};

export function checkEncryption(environment: MergedEnvironment, report: Report): void {
  for (const secret of environment.secrets.values()) {
    const { encryption } = secret;
    if (!encryption) continue;
    if (secret.kind === 'encryption') checkKey(environment, secret, encryption, report);
    else {
      const message = `a secret of kind ${secret.kind} protects no columns`;
      report(secret.placeOf('encryption'), message, 'encryption is for kind: encryption');
    }
  }
}

function checkKey(
  environment: MergedEnvironment,
  secret: MergedSecret,
  encryption: MergedEncryption,
  report: Report,
): void {
  const path = secret.placeOf('encryption');
  const { database, key, columns, mode, bothKeys } = encryption;
  if (database === undefined) report(path, 'needs the database whose columns the key protects', 'database: NAME');
  else if (!environment.databases.has(database)) {
    const hint = suggest(database, environment.databases.keys(), 'this environment has');
    report([...path, 'database'], `unknown database "${database}"`, hint);
  }
  if (key === undefined) {
    report(
      path,
      'needs to say how the application reads its key',
      'key: fernet, hex, base64, base64url, raw or derive',
    );
  } else checkGenerator(secret, key, report);
  if (columns === undefined)
    report(path, 'needs the columns that the key protects', 'columns: [{ table: …, column: … }]');
  else
    columns.forEach((column, index) =>
      checkColumn(column, columns.slice(0, index), encryption, [...path, 'columns', index], report),
    );
  if (mode === 'online' && !bothKeys) {
    const message = 'mode online needs the application to take two keys at once';
    report(path, message, 'bothKeys: { style: list } or { style: previous, variable: X_PREVIOUS }; else mode: atomic');
  }
  if (bothKeys?.style === 'previous' && bothKeys.variable === secret.key) {
    report(
      [...path, 'bothKeys', 'variable'],
      `"${secret.key}" is the variable of the new key too`,
      'name the second variable',
    );
  }
  if (bothKeys?.style === 'list' && strengthOf(generatorOf(secret), secret.name).mayContain(bothKeys.separator)) {
    const message = `keys made by ${generatorOf(secret)} can contain the separator ${JSON.stringify(bothKeys.separator)}`;
    report([...path, 'bothKeys', 'separator'], message, 'a separator that they cannot contain');
  }
  if (bothKeys && secret.part)
    report([...path, 'bothKeys'], 'a part of a variable cannot hold two keys', 'give the key a variable of its own');
  checkRecovery(environment, encryption, [...path, 'recovery'], report);
  for (const [field, why] of Object.entries(FOREIGN)) {
    if (secret[field as keyof typeof FOREIGN] !== null)
      report(secret.placeOf(field), 'does not fit kind encryption', why);
  }
}

function checkRecovery(
  environment: MergedEnvironment,
  { recovery, columns = [] }: MergedEncryption,
  path: Path,
  report: Report,
): void {
  if (!recovery) return;
  recovery.enable.forEach((name, index) => {
    if (environment.checks.has(name)) return;
    const hint = suggest(name, environment.checks.keys(), 'this environment has');
    report([...path, 'enable', index], `unknown check "${name}"`, hint);
  });
  recovery.label.forEach((name, index) => {
    if (columns.some(({ column }) => column === name))
      report(
        [...path, 'label', index],
        `"${name}" is encrypted: it tells nobody which row it is`,
        'name other columns',
      );
  });
}

function checkGenerator(secret: MergedSecret, key: KeyForm, report: Report): void {
  // A derivation makes 32 bytes of anything.
  if (typeof key !== 'string') return;
  const generator = generatorOf(secret);
  if (generator === GENERATORS[key]) return;
  const message = `the generator ${generator} does not make what the application reads as a 32-byte key (${key})`;
  report(secret.placeOf('generator'), message, `generator: ${GENERATORS[key]}`);
}

function checkColumn(
  column: ProtectedColumn,
  before: readonly ProtectedColumn[],
  encryption: MergedEncryption,
  path: Path,
  report: Report,
): void {
  const same = (other: ProtectedColumn): boolean =>
    other.table === column.table &&
    other.column === column.column &&
    JSON.stringify(other.path ?? []) === JSON.stringify(column.path ?? []) &&
    JSON.stringify(other.where ?? {}) === JSON.stringify(column.where ?? {});
  if (before.some(same)) report(path, `${column.table}.${column.column} is named twice`);
  if (column.where && column.column in column.where) {
    const message = `"${column.column}" is what is encrypted: it does not say which rows are`;
    report([...path, 'where', column.column], message, 'name the column that does, such as a flag');
  }
  const format = formatOf(column, encryption);
  if (!format) {
    report(path, 'needs a format', 'format: { cipher: aes-256-gcm, … } here or for all columns under encryption');
  } else if ((format.cipher === 'fernet') !== (encryption.key === 'fernet')) {
    report(
      path,
      `values of ${format.cipher} are not made with a key that is read as ${formName(encryption.key)}`,
      'key: fernet goes with cipher: fernet',
    );
  } else if (format.cipher === 'aes-256-gcm' && format.encoding === 'binary' && column.path) {
    report(path, 'a JSON document holds text, not bytes', 'encoding: hex, base64 or base64url');
  }
}

function formName(key: KeyForm | undefined): string {
  if (key === undefined) return 'nothing';
  return typeof key === 'string' ? key : key.derive;
}
