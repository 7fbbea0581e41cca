/** Looking for values where none may be: whole histories as the server stores them, and everything that was printed. */
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';

const { History } = proto.temporal.api.history.v1;
const { DescribeWorkflowExecutionResponse } = proto.temporal.api.workflowservice.v1;

export interface Searched {
  readonly places: number;
  readonly characters: number;
  /** Places in which some value stands; never the value. */
  readonly found: readonly string[];
}

/**
 * @param texts name of the place → its text. Values are also looked for as tools and servers print them: in base64 (payloads),
 *   hexadecimal (bytea), URL-encoded, and escaped as in JSON.
 */
export function searchFor(values: Iterable<string>, texts: ReadonlyMap<string, string>): Searched {
  const needles = [...new Set([...values].flatMap(formsOf))];
  const found = [...texts]
    .filter(([, text]) => needles.some((needle) => text.includes(needle)))
    .map(([place]) => place);
  const characters = [...texts.values()].reduce((sum, text) => sum + text.length, 0);
  return { places: texts.size, characters, found };
}

/**
 * Every run of the namespace as the server sends it, payloads being plain bytes in it: its history; and its description,
 * which has the memo, the search attributes, the summaries, and of a running one the activities' heartbeats.
 */
export async function exportHistories(client: Client): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for await (const { workflowId, runId } of client.workflow.list()) {
    const handle = client.workflow.getHandle(workflowId, runId);
    const history = History.encode(await handle.fetchHistory()).finish();
    texts.set(`history of ${workflowId} ${runId}`, asText(history));
    const description = DescribeWorkflowExecutionResponse.encode((await handle.describe()).raw).finish();
    texts.set(`description of ${workflowId} ${runId}`, asText(description));
  }
  return texts;
}

function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function formsOf(value: string): string[] {
  const hex = Buffer.from(value).toString('hex');
  const base64 = base64Forms(value);
  return [
    value,
    // Payloads and logs are read byte by byte.
    asText(Buffer.from(value)),
    encodeURIComponent(value),
    JSON.stringify(value).slice(1, -1),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
}

/** Inside a longer text a value's base64 depends on where it starts, modulo three; its edges mix with its neighbours. */
function base64Forms(value: string): string[] {
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.from(' '.repeat(offset) + value)
      .toString('base64')
      .replace(/=+$/, '');
    const start = offset === 0 ? 0 : offset + 1;
    return encoded.slice(start, -2);
  });
}
