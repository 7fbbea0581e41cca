import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { expect, test } from 'vitest';
import { inventoryJsonSchema } from '../../src/inventory/json-schema.js';
import { fieldsOf, ownSentence, referencePage } from '../support/reference-page.js';

const PAGE = 'docs/reference.md';
const MARK = '<!-- from here on written by test/inventory/reference.test.ts -->';

test('every field of an inventory has a sentence of its own', () => {
  const fields = fieldsOf(inventoryJsonSchema());
  const lacking = fields.filter((field) => ownSentence(field).split(' ').length < 2);
  expect(fields.length).toBeGreaterThan(500);
  expect([...new Set(lacking.map(({ path }) => path))]).toEqual([]);
});

test('docs/reference.md is in step with the code (UPDATE_SCHEMA=1 writes it)', async () => {
  const page = readFileSync(PAGE, 'utf8');
  const [head = ''] = page.split(MARK);
  const text = `${head}${MARK}\n\n${referencePage(inventoryJsonSchema())}`;
  const whole = await format(text, { ...(await resolveConfig(PAGE)), parser: 'markdown' });
  if (process.env['UPDATE_SCHEMA']) writeFileSync(PAGE, whole);
  expect(readFileSync(PAGE, 'utf8')).toBe(whole);
});

test('the page leaves no field out', () => {
  const bare = (text: string): string => text.replaceAll(/[`\\]/g, '');
  const page = bare(readFileSync(PAGE, 'utf8'));
  const missing = fieldsOf(inventoryJsonSchema()).filter((field) => !page.includes(bare(ownSentence(field))));
  expect(missing).toEqual([]);
});
