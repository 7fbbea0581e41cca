/** Everything that can be known before an archive is made. All questions are asked, so that a person mends all problems at once. */
import { preflightDirectory } from '../../backups/directory.js';
import { openFormat } from '../../backups/open-format.js';
import { formatBackup, type BackedUpSecret, type BackupPlan } from '../../domain/backup.js';
import type { Evidence } from '../../domain/evidence.js';
import { KeyturnError } from '../../domain/errors.js';
import { formatRef } from '../../domain/refs.js';
import { conflictsOf } from '../../inventory/backups.js';
import { openStore } from '../../stores/open-store.js';
import { credentialResolver } from '../credentials.js';
import { askLedger } from '../ask-ledger.js';
import type { ActivityDeps } from '../deps.js';

/** @throws KeyturnError `not-ready` with every problem; `effect` is `none`. */
export async function checkBackup(plan: BackupPlan, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const seen: string[] = [];
  const problems: string[] = [];
  const ask = async (question: string, body: () => Promise<string>): Promise<void> => {
    try {
      seen.push(await body());
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      problems.push(`${question}: ${error.hint ? `${error.message} (${error.hint})` : error.message}`);
    }
  };
  await ask('destination', async () => (await preflightDirectory(plan.directory)).summary);
  await ask('its place', async () => {
    const conflicts = conflictsOf(await deps.loadInventory(), plan, deps.variables);
    if (conflicts.length > 0) throw new KeyturnError('bad-inventory', conflicts.join(', '));
    return 'apart from other critical secrets and from the stores';
  });
  await ask('encryption', async () => {
    const format = await openFormat(plan.encryption, credentialResolver(deps.variables));
    return (await format.preflight(signal)).summary;
  });
  for (const secret of plan.secrets) await ask(formatRef(secret.ref), () => askStore(secret, deps));
  await ask('ledger', async () => {
    const answer = await askLedger(deps);
    return typeof answer === 'string' ? answer : answer.warning;
  });
  if (problems.length > 0) {
    throw new KeyturnError('not-ready', problems.join('; '), {
      hint: `mend this, then start again: keyturn backup ${formatBackup(plan.ref)}`,
    });
  }
  return { summary: seen.join('; '), facts: { secrets: plan.secrets.length, directory: plan.directory } };
}

async function askStore({ slot, ref }: BackedUpSecret, deps: ActivityDeps): Promise<string> {
  const { current, pending } = await openStore(slot.store, deps).describe(slot);
  if (!current) throw new KeyturnError('not-found', 'it has no value in its store: there is nothing to back up');
  return `${ref.secret} has ${pending ? 'a current and a staged value' : 'a value'}`;
}
