/** Every worker registers what its runs are found by: a task that sets an unknown attribute would be retried for ever. */
import type { NativeConnection } from '@temporalio/worker';
import proto from '@temporalio/proto';
import { KeyturnError } from './domain/errors.js';
import { searchAttributes } from './domain/status.js';

const { INDEXED_VALUE_TYPE_BOOL, INDEXED_VALUE_TYPE_KEYWORD, INDEXED_VALUE_TYPE_KEYWORD_LIST } =
  proto.temporal.api.enums.v1.IndexedValueType;
const TYPES = {
  Bool: INDEXED_VALUE_TYPE_BOOL,
  Keyword: INDEXED_VALUE_TYPE_KEYWORD,
  KeywordList: INDEXED_VALUE_TYPE_KEYWORD_LIST,
} as const;

/** @throws KeyturnError `search-attributes` when a name is taken by another type, or this worker may not register them. */
export async function registerSearchAttributes(connection: NativeConnection, namespace: string): Promise<void> {
  const types = Object.fromEntries(searchAttributes());
  const wanted = searchAttributes().map(([name, type]) => [name, TYPES[type]] as const);
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
      const names = missing.map(([name]) => `${name}=${types[name] ?? ''}`);
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
