/** What `keyturn up` prints when everything runs: where to look, and commands that work as printed. */
import type { ListedSecret } from './open-inventory.js';
import { invocation } from './invocation.js';
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
}

export function welcome({ ui, address, inventory, secrets, systems, more }: Welcome): string[] {
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
  return [...lines, 'Ctrl-C ends everything.'];
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
