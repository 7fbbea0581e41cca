/** Every worker registers what its runs are found by: a task that sets an unknown attribute would be retried for ever. */
import type { NativeConnection } from '@temporalio/worker';
import proto from '@temporalio/proto';
import { KeyturnError } from './domain/errors.js';
import { SEARCH_ATTRIBUTES } from './domain/status.js';

const { INDEXED_VALUE_TYPE_BOOL, INDEXED_VALUE_TYPE_KEYWORD } = proto.temporal.api.enums.v1.IndexedValueType;

/** @throws KeyturnError `search-attributes` when a name is taken by another type, or this worker may not register them. */
export async function registerSearchAttributes(connection: NativeConnection, namespace: string): Promise<void> {
  const wanted = Object.values(SEARCH_ATTRIBUTES).map(
    (name) =>
      [
        name,
        name === SEARCH_ATTRIBUTES.awaitingApproval ? INDEXED_VALUE_TYPE_BOOL : INDEXED_VALUE_TYPE_KEYWORD,
      ] as const,
  );
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const clash = wanted.find(([name, type]) => customAttributes[name] !== undefined && customAttributes[name] !== type);
  if (clash) {
    throw new KeyturnError('search-attributes', `the namespace has a search attribute ${clash[0]} of another type`, {
      hint: 'remove it, or use another namespace',
    });
  }
  const missing = wanted.filter(([name]) => customAttributes[name] === undefined);
  if (missing.length === 0) return;
  try {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing) });
  } catch (error) {
    // Another worker may have been faster; anything else shows when they are listed again.
    const { customAttributes: now } = await connection.operatorService.listSearchAttributes({ namespace });
    if (missing.some(([name]) => now[name] === undefined)) {
      const names = missing.map(([name, type]) => `${name}=${type === INDEXED_VALUE_TYPE_BOOL ? 'Bool' : 'Keyword'}`);
      throw new KeyturnError(
        'search-attributes',
        `the search attributes ${names.join(', ')} cannot be registered from here`,
        {
          hint: `temporal operator search-attribute create ${names.map((name) => `--name ${name.replace('=', ' --type ')}`).join(' ')}`,
          cause: error,
        },
      );
    }
  }
}
