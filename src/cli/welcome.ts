/** What `keyturn up` prints when everything runs: where to look, and commands that work as printed. */
import type { ListedSecret } from './open-inventory.js';
import { invocation, quoteArgument } from './invocation.js';
import { listLink, QUERIES, type Ui } from './links.js';

export interface Welcome {
  readonly ui: Ui;
  readonly address: string;
  readonly inventory: string;
  readonly secrets: readonly ListedSecret[];
  /** Example systems that run here, by the secret to try. */
  readonly systems: readonly { readonly ref: string; readonly url: string }[];
  /** What else there is to try; may be empty. */
  readonly more: readonly string[];
  /** The directory where Temporal and the ledger are kept; false: they end; null: they are not ours. */
  readonly keeps: string | false | null;
}

export function welcome({ ui, address, inventory, secrets, systems, more, keeps }: Welcome): string[] {
  const lines = ['', `Temporal UI    ${ui.url ?? '(configured elsewhere)'}`];
  const running = listLink(ui, QUERIES.running);
  if (running !== null) lines.push(`  runs         ${running}`);
  const waiting = listLink(ui, QUERIES.awaitingApproval);
  if (waiting !== null) lines.push(`  to decide    ${waiting}`);
  lines.push(
    `Temporal       ${address}`,
    `inventory      ${inventory}, ${secrets.length} ${secrets.length === 1 ? 'secret' : 'secrets'}`,
    '',
  );
  if (systems.length > 0) {
    lines.push(
      'Example systems, each with a secret to rotate:',
      ...systems.map(({ ref, url }) => `  ${ref}  ${url}`),
      '',
    );
  }
  const rotatable = secrets.find((secret) => ['session', 'signing', 'token'].includes(secret.kind))?.ref;
  lines.push(...thingsToTry(systems[0]?.ref ?? rotatable), '');
  if (more.length > 0) lines.push(...more, '');
  return [...lines, ...ending(keeps)];
}

/** A run that waits has staged a value in the application's own store, which stays whatever ends. */
function ending(keeps: Welcome['keeps']): string[] {
  if (keeps === null) return ['Ctrl-C ends everything here; runs that wait go on with the next worker.'];
  if (keeps !== false)
    return [
      `Ctrl-C ends everything; runs that wait go on once it is started with --state ${quoteArgument(keeps)} again.`,
    ];
  return [
    'Ctrl-C ends everything, and forgets the runs that wait: what they have staged stays, and holds up the next run of its secret.',
    `Cancel them first (${invocation()} status, ${invocation()} cancel REF --as YOUR-NAME --yes), or start with --state DIR, which keeps them.`,
  ];
}

/** In another terminal, in the same directory: the session file leads there. */
function thingsToTry(ref: string | undefined): string[] {
  const keyturn = invocation();
  const lines = ['Try, in another terminal in this directory:', `  ${keyturn} inventory`];
  if (ref !== undefined) {
    lines.push(
      `  ${keyturn} plan ${ref}`,
      `  ${keyturn} rotate ${ref} --operator ana@example.test --reason routine --wait`,
      `  ${keyturn} status`,
      `  ${keyturn} approve ${ref} --as ben@example.test`,
    );
  }
  return [...lines, `  ${keyturn} log`];
}
