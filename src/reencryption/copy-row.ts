/**
 * One row of a SELECT as raw bytes. The driver reads results as UTF-8 text only; what COPY sends it hands on untouched, so that is
 * how binary values come (documentation, "COPY", binary format).
 */
import type pg from 'pg';

/** Signature and flags, before the length of an extension that nothing has used yet. */
const SIGNATURE_BYTES = 15;

interface CopyData {
  readonly chunk: Buffer;
}

/**
 * @param select gives exactly one row. It takes no parameters: COPY has none.
 * @returns the row's columns in the binary form of their types; null: SQL NULL.
 */
export async function copyRow(client: pg.Client, select: string): Promise<(Buffer | null)[]> {
  const copied = await new Promise<Buffer>((resolve, reject) => {
    let first: Buffer | null = null;
    let failed = false;
    // What the driver's own Query is to its client (pg.Submittable), reduced to what COPY needs.
    const query = {
      submit(connection: { query(text: string): void }): null {
        connection.query(`COPY (${select}) TO STDOUT (FORMAT binary)`);
        return null;
      },
      handleCopyData({ chunk }: CopyData): void {
        // The first message has the header and the only row, the second the end. Copied: the driver uses its buffer again.
        first ??= Buffer.from(chunk);
      },
      handleRowDescription: () => undefined,
      handleDataRow: () => undefined,
      handleCommandComplete: () => undefined,
      handleError(error: Error): void {
        failed = true;
        reject(error);
      },
      handleReadyForQuery(): void {
        if (failed) return;
        if (first) resolve(first);
        else reject(new TypeError('COPY gave no row'));
      },
    };
    client.query(query as unknown as pg.Submittable);
  });
  return firstRow(copied);
}

function firstRow(copied: Buffer): (Buffer | null)[] {
  let at = SIGNATURE_BYTES + 4 + copied.readInt32BE(SIGNATURE_BYTES);
  const count = copied.readInt16BE(at);
  at += 2;
  return Array.from({ length: count }, () => {
    const length = copied.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return copied.subarray(at - length, at);
  });
}
