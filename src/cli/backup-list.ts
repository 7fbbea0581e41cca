/** `keyturn backup list`: for every backed-up secret its newest backup, how old it is, and whether it can be relied on. Run where the backups are. */
import { findBackup, type BackupVerdict } from '../backups/find-backup.js';
import { youth } from '../backups/read-backups.js';
import { createSealer, type Sealer } from '../backups/seal.js';
import { formatBackup, type BackedUpSecret, type BackupPlan, type BackupSelector } from '../domain/backup.js';
import { formatMilliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import { formatRef } from '../domain/refs.js';
import { allBackups, backupsOf, expandBackups, planBackup } from '../inventory/backups.js';
import type { Inventory } from '../inventory/inventory.js';
import { loadInventory } from '../inventory/load.js';
import { mergeEnvironments } from '../inventory/merge.js';
import { createFingerprinter, type Fingerprinter } from '../stores/fingerprint.js';
import { openStore } from '../stores/open-store.js';
import { backupArgument } from './backup.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { readSettings, type Settings } from './settings.js';
import { table } from './table.js';

export interface BackupListOptions {
  readonly exitCode?: boolean;
}

interface Line {
  readonly backup: string | null;
  readonly secret: string;
  readonly critical: boolean;
  readonly maxAge: string | null;
  readonly state: BackupVerdict | 'no backup described' | 'not reachable here';
  /** Why, for people. */
  readonly text: string;
  readonly archive: string | null;
  readonly provenAt: string | null;
}

interface Keyed {
  readonly fingerprint: Fingerprinter;
  readonly seals: Sealer;
}

/** With `--exit-code`: 1 unless every backup can be relied on and every critical secret has one. */
export async function backupList(
  context: Context,
  text: string | undefined,
  options: BackupListOptions,
): Promise<ExitCode> {
  const { console } = context;
  const settings = await readSettings(context);
  const key = fingerprintKey(settings);
  const keyed: Keyed = { fingerprint: createFingerprinter(key), seals: createSealer(key) };
  const inventory = await loadInventory(settings.inventory());
  const selector = text === undefined ? undefined : backupArgument(text);
  const refs = selector ? expandBackups(inventory, selector) : allBackups(inventory);
  const now = new Date();
  const lines: Line[] = [];
  for (const ref of refs) {
    const request = { ref, operator: '', note: null, requestId: '', at: now.toISOString() };
    try {
      const plan = planBackup(inventory, { ...request, variables: settings.variables });
      for (const secret of plan.secrets) lines.push(await lineOf(plan, secret, now, keyed));
    } catch (error) {
      if (!(error instanceof KeyturnError) || error.code !== 'setting-missing') throw error;
      lines.push(elsewhere(formatBackup(ref), formatBackup(ref), error));
    }
  }
  if (!selector?.backup) lines.push(...notDescribed(inventory, selector, settings.variables));
  console.document({ inventory: inventory.source, backups: lines });
  if (!console.json) show(context, lines, now);
  return options.exitCode && lines.some(({ state }) => state !== 'proven') ? EXIT.failed : EXIT.done;
}

/** Manifests are sealed with it: without it a forged one looks like any other. */
function fingerprintKey({ variables }: Pick<Settings, 'variables'>): string {
  const key = variables['KEYTURN_FINGERPRINT_KEY'];
  if (key) return key;
  throw new KeyturnError('setting-missing', 'KEYTURN_FINGERPRINT_KEY is not set', {
    hint: 'ask where a worker runs, with its settings: manifests of backups are sealed with this key',
  });
}

async function lineOf(
  { ref, directory, maxAge }: BackupPlan,
  secret: BackedUpSecret,
  now: Date,
  { fingerprint, seals }: Keyed,
): Promise<Line> {
  const backup = formatBackup(ref);
  const own = { backup, secret: formatRef(secret.ref), critical: secret.critical, maxAge };
  try {
    const { current } = await openStore(secret.slot.store, { fingerprint }).describe(secret.slot);
    const question = { places: [{ backup, directory, maxAge }], ref: own.secret, now };
    const { verdict, text, found } = await findBackup(
      { ...question, fingerprint: current?.fingerprint ?? 'no value' },
      seals,
    );
    const provenAt = found && youth(found) > 0 ? new Date(youth(found)).toISOString() : null;
    return { ...own, state: verdict, text, archive: found?.archive ?? null, provenAt };
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return { ...elsewhere(backup, own.secret, error), critical: secret.critical, maxAge };
  }
}

function elsewhere(backup: string, secret: string, { message }: KeyturnError): Line {
  const nothing = { critical: false, maxAge: null, archive: null, provenAt: null };
  return { backup, secret, ...nothing, state: 'not reachable here', text: message };
}

/** Critical secrets that no backup holds. */
function notDescribed(
  inventory: Inventory,
  selector: BackupSelector | undefined,
  variables: Settings['variables'],
): Line[] {
  return inventory.systems
    .filter(({ spec }) => selector === undefined || spec.system === selector.system)
    .flatMap(({ spec }) =>
      mergeEnvironments(spec)
        .filter(({ name }) => selector?.environment === undefined || name === selector.environment)
        .flatMap((environment) =>
          [...environment.secrets.values()].flatMap((secret): Line[] => {
            const ref = { system: spec.system, environment: environment.name, secret: secret.name };
            if (!secret.critical || holds(inventory, ref, variables)) return [];
            const text = 'it is critical, and the inventory describes no backup of it';
            const nothing = { backup: null, maxAge: null, archive: null, provenAt: null };
            return [{ ...nothing, secret: formatRef(ref), critical: true, state: 'no backup described', text }];
          }),
        ),
    );
}

function holds(inventory: Inventory, ref: BackedUpSecret['ref'], variables: Settings['variables']): boolean {
  try {
    return backupsOf(inventory, ref, variables).places.length > 0;
  } catch (error) {
    // It is described; where it lies is another host's to know.
    if (error instanceof KeyturnError && error.code === 'setting-missing') return true;
    throw error;
  }
}

function show({ console }: Context, lines: readonly Line[], now: Date): void {
  if (lines.length === 0) {
    console.say('the inventory describes no backups, and no secret is critical');
    return;
  }
  const { green, red, yellow } = console.paint;
  const age = (provenAt: string | null): string =>
    provenAt === null ? '-' : formatMilliseconds(Math.max(0, now.getTime() - Date.parse(provenAt)));
  const rows = lines.map((line) => [
    line.backup ?? '-',
    `${line.secret}${line.critical ? ' (critical)' : ''}`,
    line.provenAt?.slice(0, 10) ?? '-',
    age(line.provenAt),
    line.maxAge ?? '-',
    line.state === 'proven' ? green(line.state) : (line.critical ? red : yellow)(line.state),
  ]);
  console.say(table(['Backup', 'Secret', 'Proven', 'Age', 'At most', 'State'], rows, console.paint));
  for (const { state, secret, text } of lines)
    if (state !== 'proven') console.note(`note: ${text.includes(secret) ? '' : `${secret}: `}${text}`);
}
