import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inventoryJsonSchema } from '../../src/inventory/json-schema.js';

const COMMITTED = 'schema/inventory.schema.json';

test('the committed copy is in step with the code (UPDATE_SCHEMA=1 writes it)', () => {
  const text = `${JSON.stringify(inventoryJsonSchema(), null, 2)}\n`;
  if (process.env['UPDATE_SCHEMA']) writeFileSync(COMMITTED, text);
  expect(readFileSync(COMMITTED, 'utf8')).toBe(text);
});

test('it refuses unknown keys, asks for what has no default, and describes what it asks for', () => {
  const schema = inventoryJsonSchema() as {
    additionalProperties: unknown;
    required: string[];
    properties: Record<string, { description?: string; additionalProperties?: { required?: string[] } }>;
  };
  expect(schema).toMatchObject({ $schema: 'http://json-schema.org/draft-07/schema#', additionalProperties: false });
  expect(schema.required).toEqual(['system', 'environments', 'secrets']);
  expect(schema.properties['environments']?.description).toContain('in rollout order');
  expect(schema.properties['secrets']?.additionalProperties?.required).toEqual(['kind', 'store', 'services']);
  expect(JSON.stringify(schema)).toContain('A whole number and a unit: ms, s, m, h, d or w');
});
