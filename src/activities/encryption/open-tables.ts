/** The server on which a key's columns are, as a login that may touch their tables and nothing else. */
import type { Server, ServerOptions } from '../../databases/server.js';
import type { PlannedColumn, PlannedEncryption } from '../../domain/plan.js';
import type { ActivityDeps } from '../deps.js';
import { openServer } from '../swap/open-swap.js';

export async function openTables(
  encryption: PlannedEncryption,
  deps: Pick<ActivityDeps, 'variables'>,
  signal: AbortSignal,
  more: Pick<ServerOptions, 'admit'> = {},
): Promise<Server> {
  const touched = [...new Set(encryption.columns.map(nameOf))].sort();
  return await openServer(encryption, deps, signal, { touched, ...more });
}

/** As catalogue.ts takes it. */
function nameOf({ table }: PlannedColumn): string {
  return table.includes('.') ? table : `public.${table}`;
}
