/**
 * What the SDK would answer by failing the workflow task, again and again for ever: a signal whose data it cannot decode, and a
 * signal or an update with a name that it keeps to itself. Anybody who may use the namespace can send these; they become messages
 * without data, or under a name that nobody knows, which are refused like others.
 *
 * The SDK has no hook before it decodes, so this wraps what it calls. test/workflows/hostile-messages.it.test.ts sends them all.
 */
const RESERVED = /^(?:__temporal_)+/;

interface Message {
  readonly signalName?: string | null;
  readonly name?: string | null;
  readonly input?: unknown;
}

interface Activator {
  signalWorkflow(message: Message): void;
  doUpdate(message: Message): void;
  readonly signalHandlers: ReadonlyMap<string, unknown>;
  readonly updateHandlers: ReadonlyMap<string, unknown>;
}

export function tolerateUnreadableMessages(): void {
  const activator = (globalThis as { __TEMPORAL_ACTIVATOR__?: Activator }).__TEMPORAL_ACTIVATOR__;
  if (!activator) return;
  const signal = activator.signalWorkflow.bind(activator);
  const update = activator.doUpdate.bind(activator);
  activator.signalWorkflow = (message) => {
    const known = { ...message, signalName: unreserved(message.signalName, activator.signalHandlers) };
    try {
      signal(known);
    } catch {
      signal({ ...known, input: [] });
    }
  };
  activator.doUpdate = (message) => {
    update({ ...message, name: unreserved(message.name, activator.updateHandlers) });
  };
}

function unreserved(name: string | null | undefined, handlers: ReadonlyMap<string, unknown>): string {
  return name === null || name === undefined || handlers.has(name)
    ? (name ?? '')
    : name.replace(RESERVED, 'temporal: ');
}
