import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CSV_HEAD, csvLines, LOG_COLUMNS, logRow } from '../../src/ledger/format.js';
import type { LedgerEntry, LedgerRow } from '../../src/ledger/ledger.js';
import { entry } from './entries.js';

const toCsv = (rows: readonly LedgerRow[]): string => CSV_HEAD + csvLines(rows);

function row(changes: Partial<LedgerEntry> = {}): LedgerRow {
  const rest = {
    sequence: 7,
    recordedAt: '2026-11-21T09:05:00.000Z',
    previousHash: 'a'.repeat(64),
    hash: 'b'.repeat(64),
  };
  return { ...entry(1, changes), ...rest };
}

describe('the log as document 003 keeps it', () => {
  test('has its five columns', () => {
    expect(LOG_COLUMNS.join(' | ')).toBe('Date | Secret | Operator | Method | Notes');
    expect(logRow(row()).join(' | ')).toBe(
      '2026-11-21 09:04 UTC | mediavault/production/SESSION_SECRET | ana@example.test | replace | rotation 1; next due 2027-02-19; request run-1',
    );
  });

  test('says first when a rotation did not complete, and why it was done when it was not routine', () => {
    const notes = logRow(row({ outcome: 'rolled back', reason: 'leak', notes: '', nextDueAt: null })).at(-1);
    expect(notes).toBe('rolled back; reason: leak; request run-1');
  });

  test('says what was seen of the old value, or that nothing was', () => {
    const proof = 'not proven: the inventory declares no proof';
    const notes = logRow(row({ proof, notes: '', nextDueAt: null })).at(-1);
    expect(notes).toBe('old value not proven: the inventory declares no proof; request run-1');
  });

  test('says who approved, once', () => {
    const step = { name: 'Approve', state: 'done', evidence: { summary: 'approved by ben (checked)' } } as const;
    const notes = logRow(row({ evidence: [step, step], nextDueAt: null, notes: 'Q4' })).at(-1);
    expect(notes).toBe('approved by ben (checked); Q4; request run-1');
    const noted = row({ evidence: [step], nextDueAt: null, notes: 'Q4; promote: approved by ben (checked)' });
    expect(logRow(noted).at(-1)).toBe('Q4; promote: approved by ben (checked); request run-1');
  });

  test('has one line a row and no column too many, whatever people typed', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.oneof(
            fc.constantFrom(...Array.from('|\n\r\t\u001b\u0000\u0085\u2028\u2029\u202e\u200b')),
            fc.string({ maxLength: 3 }),
          ),
        }),
        (text) => {
          const cells = logRow(row({ notes: text, operator: text, method: text }));
          return cells.length === 5 && !cells.some((cell) => /[\p{Cc}\u2028\u2029\u202e|]/u.test(cell));
        },
      ),
    );
  });
});

describe('CSV', () => {
  test('has a header, CRLF, and quotes where RFC 4180 wants them', () => {
    const notes = 'said "done", then left\nfor the day';
    expect(toCsv([row({ notes })])).toBe(
      'Date,Secret,Operator,Method,Notes,Outcome,Proof,Reason,Request id,Next due,Sequence,Hash\r\n' +
        '2026-11-21T09:04:05.678Z,mediavault/production/SESSION_SECRET,ana@example.test,replace,' +
        '"said ""done"", then left\nfor the day",completed,,routine,run-1,2027-02-19T09:04:05.678Z,7,' +
        `${'b'.repeat(64)}\r\n`,
    );
  });

  test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', ' =cmd|calc', '＝1'])(
    'a formula is defused: %j',
    (notes) => {
      const [, line = ''] = toCsv([row({ notes })]).split(/\r\n(?=20)/);
      expect(line).toContain(`'${notes}`);
    },
  );

  test('reads back as it was written, apart from the apostrophe', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (operator, notes) => {
        const [, cells = []] = parseCsv(toCsv([row({ operator, notes })]));
        expect([operator, `'${operator}`]).toContain(cells[2]);
        expect([notes, `'${notes}`]).toContain(cells[4]);
        expect(cells).toHaveLength(12);
      }),
    );
  });
});

/** RFC 4180, section 2. */
function parseCsv(text: string): string[][] {
  const lines: string[][] = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  for (let match = cell.exec(text); match; match = cell.exec(text)) {
    lines.at(-1)!.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\r\n') lines.push([]);
  }
  return lines.slice(0, -1);
}
