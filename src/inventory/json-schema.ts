/** The inventory's schema for editors: completion and checking while typing. The loader knows more (names, times, places). */
import { z } from 'zod';
import { DURATION_PATTERN } from '../domain/durations.js';
import { systemSchema } from './schema.js';

export type JsonSchema = Readonly<Record<string, unknown>>;

const DURATION = 'A whole number and a unit: ms, s, m, h, d or w.';

/**
 * JSON Schema draft 7, which editors' YAML language servers understand best. Use it with a first line
 * `# yaml-language-server: $schema=…/inventory.schema.json`. What it says of each field stands beside the field in domain/specs.
 */
export function inventoryJsonSchema(): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(systemSchema, {
    target: 'draft-7',
    io: 'input',
    override: ({ jsonSchema }) => {
      if (!isDuration(jsonSchema)) return;
      const { description } = jsonSchema;
      if (description?.endsWith(DURATION)) return;
      jsonSchema.description = description === undefined ? DURATION : `${description}. ${DURATION}`;
    },
  });
  return {
    $schema,
    $id: 'urn:keyturn:inventory:1',
    title: 'Keyturn inventory: one system',
    description:
      'The secrets of one system: where they live, how they are made, deployed, checked, approved and how often.',
    ...schema,
  };
}

export function isDuration({ pattern }: JsonSchema): boolean {
  return pattern === DURATION_PATTERN.source;
}
