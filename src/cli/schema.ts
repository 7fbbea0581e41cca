/** `keyturn schema`: the JSON Schema of an inventory file. */
import { inventoryJsonSchema } from '../inventory/json-schema.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';

export function schema({ console }: Context): Promise<ExitCode> {
  console.raw(JSON.stringify(inventoryJsonSchema(), null, 2));
  return Promise.resolve(EXIT.done);
}
