/** What `keyturn up` runs for this directory, as settings. */
import { readSession } from '../embedded/session-file.js';

export interface LiveSession {
  readonly temporalAddress: string;
  readonly namespace: string;
  readonly uiUrl: string | null;
  readonly inventory: string;
  /** What its worker has and the shell of this call has not: the example systems' ports. */
  readonly variables: Readonly<Record<string, string>>;
  /** The ledger's URL and the fingerprint key. They belong to this Temporal, whatever the shell says. */
  readonly own: Readonly<Record<string, string>>;
}

/** @returns null when nothing runs for this directory. */
export async function liveSession(directory: string): Promise<LiveSession | null> {
  const session = await readSession(directory).catch(noState);
  if (!session) return null;
  const { temporalAddress, namespace, uiUrl, inventory } = session;
  return {
    temporalAddress,
    namespace,
    uiUrl,
    inventory,
    variables: session.variables,
    own: { KEYTURN_DATABASE_URL: session.ledgerUrl, KEYTURN_FINGERPRINT_KEY: session.fingerprintKey },
  };
}

/** A container without a home to write to has no `keyturn up` either. */
function noState(error: unknown): null {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR'].includes(code)) return null;
  throw error;
}
