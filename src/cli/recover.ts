/** `keyturn recover`: for an encryption key that is lost. Starts the runbook under the rotation's lock, and with `--wait` watches it. */
import { resolve } from 'node:path';
import { KeyturnError } from '../domain/errors.js';
import { parseRecoverInput, RECOVER_WORKFLOW_TYPE } from '../domain/messages.js';
import { formatRef } from '../domain/refs.js';
import type { Context } from './context.js';
import type { ExitCode } from './exit-codes.js';
import { openInventory } from './open-inventory.js';
import { runAndWatch, type RotateOptions } from './rotate.js';
import { selectorArgument } from './selectors.js';
import { readSettings } from './settings.js';
import { typedInput } from './typed-input.js';

export interface RecoverOptions extends Pick<RotateOptions, 'operator' | 'note' | 'wait' | 'stopAtGate'> {
  /** Archives that may hold the key, where the worker is. */
  readonly from?: readonly string[];
  readonly identityFile?: string;
  readonly passphraseFile?: string;
}

/** @throws KeyturnError `bad-reference` for more than one environment, `no-runbook` for what is no encryption key, as rotate. */
export async function recover(context: Context, refText: string, options: RecoverOptions): Promise<ExitCode> {
  const named = selectorArgument(refText);
  const inventory = await openInventory(await readSettings(context));
  const refs = inventory.expand(named);
  const [ref, ...others] = refs;
  if (!ref || others.length > 0) {
    throw new KeyturnError(
      'bad-reference',
      `${refText} means ${refs.length} secrets: a key is recovered from in one environment`,
      {
        hint: `name one: ${refs.map((one) => formatRef(one)).join(', ')}`,
      },
    );
  }
  const kind = inventory.kindOf(ref);
  if (kind !== 'encryption') {
    throw new KeyturnError(
      'no-runbook',
      `${formatRef(ref)} is of kind ${kind}: only an encryption key is recovered from`,
      {
        hint: 'a lost secret of another kind is replaced: keyturn rotate',
      },
    );
  }
  const { operator, note, from = [], identityFile, passphraseFile } = options;
  const input = typedInput(
    () =>
      parseRecoverInput({
        ...ref,
        operator,
        backups: from.map((file) => resolve(file)),
        ...(note === undefined ? {} : { note }),
        ...(identityFile === undefined ? {} : { identity: { file: resolve(identityFile) } }),
        ...(passphraseFile === undefined ? {} : { passphrase: { file: resolve(passphraseFile) } }),
      }),
    `recover ${refText} --operator ana@example.test`,
  );
  return await runAndWatch(
    context,
    {
      workflowType: RECOVER_WORKFLOW_TYPE,
      selector: ref,
      refs,
      input,
      queues: inventory.queuesOf(refs),
      verb: 'recovers',
    },
    options,
  );
}
