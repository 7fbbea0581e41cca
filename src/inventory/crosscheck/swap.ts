/** Database credentials: that what an inventory says of one fits together, and that nothing is said that would not be heeded. */
import { milliseconds } from '../../domain/durations.js';
import { strengthOf } from '../generator-strength.js';
import type { MergedEnvironment, MergedSecret } from '../merge.js';
import { generatorOf } from '../merge.js';
import { suggest } from '../suggest.js';
import type { Report } from './findings.js';

/** Its verifier is public to whoever may read it; and the salt is derived from the password (databases/access/scram.ts). */
const SHORTEST_PASSWORD = 32;

/** What only other kinds have: said of a database credential it would be passed over in silence. */
const FOREIGN = {
  overlap: 'the old role stays usable during its delay; nothing else is needed',
  revokeSessions: "the old role's sessions are ended when it is dropped",
  proof: 'that the old role is refused is proven by logging in with it',
  part: 'swap.credential says where user and password stand in the value',
} as const;

export function checkSwaps(environment: MergedEnvironment, report: Report): void {
  for (const secret of environment.secrets.values()) {
    if (secret.kind === 'database' && secret.swap) checkSwap(environment, secret, report);
    else if (secret.swap) {
      report(
        secret.placeOf('swap'),
        `a secret of kind ${secret.kind} has no role to swap`,
        'swap is for kind: database',
      );
    }
  }
}

function checkSwap(environment: MergedEnvironment, secret: MergedSecret, report: Report): void {
  const { swap } = secret;
  if (!swap) return;
  const path = secret.placeOf('swap');
  if (swap.database === undefined) {
    report(path, 'needs the database whose role it is', known(environment, 'database: '));
  } else if (!environment.databases.has(swap.database)) {
    const hint = suggest(swap.database, environment.databases.keys(), 'this environment has');
    report([...path, 'database'], `unknown database "${swap.database}"`, hint);
  }
  if (swap.strategy === undefined) {
    report(
      path,
      'needs a strategy',
      'group, copy or same-role; `keyturn plan` recommends one once any is written here',
    );
  }
  if (swap.group !== undefined && swap.strategy !== 'group') {
    report([...path, 'group'], 'has a meaning for the strategy group only', 'strategy: group, or leave it out');
  }
  if (swap.credential.in === 'password' && swap.strategy !== 'same-role') {
    const message = 'the user name is fixed, so a new role could not be told to the application';
    report([...path, 'credential'], message, 'strategy: same-role, or keep the user name in the value too');
  }
  if (swap.credential.in === 'variables' && swap.credential.user === swap.credential.password) {
    report([...path, 'credential'], 'user and password stand in the same variable', 'in: url or in: json');
  }
  checkTimes(secret, report);
  for (const [field, why] of Object.entries(FOREIGN)) {
    if (secret[field as keyof typeof FOREIGN] !== null)
      report(secret.placeOf(field), 'does not fit kind database', why);
  }
  const { shortest } = strengthOf(generatorOf(secret), secret.name);
  if (shortest < SHORTEST_PASSWORD) {
    const message = `the generator ${generatorOf(secret)} makes ${shortest} characters; a database password has ${SHORTEST_PASSWORD} at the least`;
    report(secret.placeOf('generator'), message, 'base64url:32 or hex:32');
  }
  if (!/^(?:hex|base64url|test):/.test(generatorOf(secret))) {
    const message = `the generator ${generatorOf(secret)} makes characters that URLs, shells or env files treat as special`;
    report(secret.placeOf('generator'), message, 'base64url:32 or hex:32');
  }
}

function checkTimes(secret: MergedSecret, report: Report): void {
  const { swap, cadence } = secret;
  if (!swap || swap.strategy === 'same-role') return;
  const path = secret.placeOf('swap');
  const [delay, every] = [milliseconds(swap.delay), milliseconds(swap.watchEvery)];
  if (every < 1_000) report([...path, 'watchEvery'], 'the server is asked too often', 'seconds or minutes: 5m');
  else if (delay > 0 && every > delay) {
    report([...path, 'watchEvery'], `the old role would not be looked at within its delay of ${swap.delay}`);
  }
  if (cadence !== null && milliseconds(cadence) <= delay) {
    report(secret.placeOf('cadence'), `the next swap is due (${cadence}) before the old role of the last is dropped`);
  }
}

function known({ databases }: MergedEnvironment, prefix: string): string {
  const names = [...databases.keys()];
  return names.length > 0
    ? `${prefix}${names.join(' or ')}`
    : 'declare it under databases, with the URL of an administrator';
}
