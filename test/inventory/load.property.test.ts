import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadInventory } from '../../src/inventory/load.js';
import { InventoryError } from '../../src/inventory/problems.js';
import { resolvePlan } from '../../src/inventory/resolve.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { slotsOf } from '../../src/inventory/slots.js';

const RUNBOOKS = 'test/fixtures/inventory/runbooks';
const TEXTS = readdirSync(RUNBOOKS, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => readFileSync(join(RUNBOOKS, name), 'utf8'));

/** What breaks YAML, schemas and paths, and what would run if anything were executed. */
const BITS = [
  ...[
    ': ',
    '- ',
    '&a ',
    '*a',
    '<<: *a',
    '!!js/function "() => 1"',
    '!!set',
    '? ',
    '|\n',
    '>-\n',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    '\t',
  ],
  ...['\n---\n', '%YAML 1.1\n', '~', 'null', 'true', '1e400', '.nan', '-1', '\u0000', '\ud800', '\u2028', '#', '\\x00'],
  ...[
    '__proto__: {}',
    'constructor',
    '${',
    '${a}',
    '${value}',
    '$${x}',
    '${__proto__}',
    '(',
    '99999999999d',
    '0d',
    '[[[[[[[[',
  ],
];

const mutation = fc.tuple(
  fc.nat(),
  fc.nat({ max: 40 }),
  fc.oneof(fc.constantFrom(...BITS), fc.string({ unit: 'binary', maxLength: 8 })),
);

test('whatever is done to a file, it loads or is refused with a place in it; nothing else is thrown', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-inventory-'));
  const file = join(directory, 'system.yaml');
  let refused = 0;
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...TEXTS),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        async (text, mutations) => {
          const mutated = mutations.reduce((before, [at, removed, added]) => {
            const start = at % (before.length + 1);
            return before.slice(0, start) + added + before.slice(start + removed);
          }, text);
          await writeFile(file, mutated);
          try {
            const inventory = await loadInventory(file);
            // What was accepted can be planned, or the plan is refused with a reason.
            for (const { ref } of slotsOf(inventory, {})) {
              const request = { ref, operator: 'ana', requestId: 'r', note: null, variables: {} };
              try {
                resolvePlan(inventory, { ...request, reason: 'routine' });
              } catch (error) {
                expect(error).toBeInstanceOf(KeyturnError);
                expect(['no-runbook', 'setting-missing']).toContain((error as KeyturnError).code);
              }
            }
          } catch (error) {
            if (!(error instanceof InventoryError)) throw error;
            refused++;
            expect(error.problems.length).toBeGreaterThan(0);
            const lines = mutated.split('\n').length;
            for (const { line, message } of error.problems) {
              expect(message).not.toBe('');
              expect(line).toBeGreaterThanOrEqual(0);
              expect(line).toBeLessThanOrEqual(lines);
            }
          }
        },
      ),
      { numRuns: 400 },
    );
    expect(refused).toBeGreaterThan(100);
  } finally {
    await rm(directory, { recursive: true });
  }
}, 60_000);
