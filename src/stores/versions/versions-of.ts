/** What is told of a place: its versions by fingerprint, and what its rotation is known to have come to. */
import { SecretValue } from '../../domain/secret-value.js';
import type { Arrangement, Versions } from '../../domain/slot.js';
import type { Fingerprinter } from '../fingerprint.js';
import { arrangementOf, nearestArrangement, type Shown } from './arrangements.js';
import type { Entry } from './sidecar.js';

interface UnderWay {
  readonly entry: Entry;
  /** As Medium.between. */
  readonly between: Arrangement | undefined;
}

export function versionsOf(shown: Shown, underWay: UnderWay | undefined, fingerprint: Fingerprinter): Versions {
  const info = (text: string) => fingerprint(new SecretValue(text));
  const current = info(shown.values[0] ?? '');
  if (!underWay)
    return { current, pending: null, previous: null, rotation: null, record: null, arrangement: 'old only' };
  const { entry, between } = underWay;
  const exact = arrangementOf(shown, entry) ?? between;
  const arrangement = exact ?? nearestArrangement(shown, entry);
  const isNew = arrangement.startsWith('new');
  const { rotation, reached, stagedBy } = entry;
  return {
    current,
    pending: isNew ? null : info(entry.new),
    previous: isNew ? info(entry.old) : null,
    rotation,
    record: { reached, edited: exact === undefined, stagedBy },
    arrangement,
  };
}
