/** All rows of a SELECT as raw bytes, one after the other as they come: what COPY sends in its binary form (see copy-row.ts). */
import type pg from 'pg';

/** Signature and flags, before the length of an extension that nothing has used yet. */
const SIGNATURE_BYTES = 15;
const NO_BYTES = Buffer.alloc(0);

/**
 * @param select takes no parameters: COPY has none. @param onRow the columns in the binary form of their types, good until it returns;
 * what it throws ends the connection's query.
 */
export async function copyRows(
  client: pg.Client,
  select: string,
  onRow: (columns: readonly (Buffer | null)[]) => void,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let rest = NO_BYTES;
    let begun = false;
    let failure: Error | null = null;
    const query = {
      submit(connection: { query(text: string): void }): null {
        connection.query(`COPY (${select}) TO STDOUT (FORMAT binary)`);
        return null;
      },
      handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
        if (failure) return;
        try {
          // A message is a row today; the protocol does not promise it.
          let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
          if (!begun) {
            bytes = bytes.subarray(SIGNATURE_BYTES + 4 + bytes.readInt32BE(SIGNATURE_BYTES));
            begun = true;
          }
          const at = rowsIn(bytes, onRow);
          // The driver uses its buffer again.
          rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : NO_BYTES;
        } catch (error) {
          failure = error as Error;
        }
      },
      handleRowDescription: () => undefined,
      handleDataRow: () => undefined,
      handleCommandComplete: () => undefined,
      handleError(error: Error): void {
        failure ??= error;
        // A statement that failed is followed by ReadyForQuery; a connection that broke is not.
        reject(failure);
      },
      handleReadyForQuery(): void {
        if (failure) reject(failure);
        else resolve();
      },
    };
    client.query(query as unknown as pg.Submittable);
  });
}

/** @returns where the first row that has not wholly come begins. */
function rowsIn(bytes: Buffer, onRow: (columns: readonly (Buffer | null)[]) => void): number {
  let start = 0;
  for (;;) {
    if (start + 2 > bytes.length) return start;
    const count = bytes.readInt16BE(start);
    if (count < 0) return bytes.length;
    const columns: (Buffer | null)[] = [];
    let at = start + 2;
    while (columns.length < count) {
      if (at + 4 > bytes.length) return start;
      const length = bytes.readInt32BE(at);
      at += 4;
      if (length >= 0 && at + length > bytes.length) return start;
      columns.push(length < 0 ? null : bytes.subarray(at, at + length));
      at += Math.max(0, length);
    }
    onRow(columns);
    start = at;
  }
}
