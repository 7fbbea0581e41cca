/** The worker's own client is native code with its own errors; to a person "nobody there" is the same. */
import { KeyturnError } from '../domain/errors.js';

/** @throws KeyturnError `temporal-unavailable` for a failure of the transport; other errors pass unchanged. */
export async function reachingTemporal<T>(address: string | undefined, connect: () => Promise<T>): Promise<T> {
  try {
    return await connect();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'TransportError') throw error;
    throw new KeyturnError('temporal-unavailable', `cannot reach Temporal at ${address ?? 'localhost:7233'}`, {
      hint: 'does a server run there? TEMPORAL_ADDRESS or a Temporal profile says where; without either, npm start brings its own',
      retryable: true,
      cause: error,
    });
  }
}
