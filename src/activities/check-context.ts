/** What checks are asked with: credentials of the worker, and database servers that last as long as the activity. */
import type { CheckContext } from '../checks/check.js';
import { Server } from '../databases/server.js';
import type { CredentialRef } from '../domain/specs/common.js';
import type { DatabaseRef } from '../domain/specs/database.js';
import { credentialResolver } from './credentials.js';
import type { ActivityDeps } from './deps.js';
import { currentScope } from './scope.js';

export function checkContext({ variables }: Pick<ActivityDeps, 'variables'>, signal: AbortSignal): CheckContext {
  const resolveCredential = credentialResolver(variables);
  const servers = new Map<string, Server>();
  const serverOf = async (ref: DatabaseRef): Promise<Server> => {
    const { purpose, atEnd } = currentScope();
    const label = labelOf(ref);
    const url = await resolveCredential(ref);
    const server =
      servers.get(label) ??
      new Server({
        administrator: url,
        tls: ref.tls,
        passwords: ref.passwords,
        label,
        database: null,
        replicas: [],
        signal,
        purpose,
        touched: 'owned',
      });
    if (!servers.has(label)) atEnd(() => server.close());
    servers.set(label, server);
    return server;
  };
  return { signal, resolveCredential, serverOf };
}

function labelOf(ref: CredentialRef): string {
  return 'env' in ref ? `variable ${ref.env}` : `file ${ref.file}`;
}
