/** The inventory's schema for editors: completion and checking while typing. The loader knows more (names, times, places). */
import { z } from 'zod';
import { systemSchema } from './schema.js';

/**
 * JSON Schema draft 7, which editors' YAML language servers understand best. Use it with a first line
 * `# yaml-language-server: $schema=…/inventory.schema.json`.
 */
export function inventoryJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...schema } = z.toJSONSchema(systemSchema, { target: 'draft-7', io: 'input' });
  return {
    $schema,
    $id: 'urn:keyturn:inventory:1',
    title: 'Keyturn inventory: one system',
    description:
      'The secrets of one system: where they live, how they are made, deployed, checked, approved and how often.',
    ...schema,
  };
}
