import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NOTHING_BEGUN } from '../../src/domain/cancelling.js';
import { renderChecklist } from '../../src/domain/checklist.js';
import { openGate } from '../../src/domain/gate.js';
import { OUTCOMES, type RotationReport } from '../../src/domain/report.js';
import { approvalSpec, type ApprovalSpec } from '../../src/domain/specs/policy.js';
import type { OpenGate, RunStatus, ShownStep } from '../../src/domain/status.js';

const REF = 'shop/production/SESSION_SECRET';
const PLAN = 'abcdefabcdef@01234567';

const STEPS: ShownStep[] = [
  { name: 'Prepare', state: 'done', seconds: 1.8, evidence: { summary: '8 questions asked, all well' } },
  { name: 'Approval: use the new value', state: 'waiting', detail: '1 approval(s), 24h, then denied' },
  { name: 'Switch', state: 'to come', detail: 'store, then deploy and health of web' },
  { name: 'Prove', state: 'to come', detail: 'must be refused', forward: true },
  { name: 'Record', state: 'to come', forward: true },
];

const render = (changes: Partial<RunStatus> = {}): string =>
  renderChecklist({
    ref: REF,
    workflowId: `rotate:${REF}`,
    runId: 'run',
    operator: 'ana@example.test',
    reason: 'routine',
    method: 'replace',
    about: [],
    phase: 'Switch',
    steps: STEPS,
    gate: null,
    wait: null,
    trouble: null,
    steering: [],
    ifCancelled: NOTHING_BEGUN,
    cancellation: null,
    refusals: [],
    command: 'keyturn',
    report: null,
    ...changes,
  });

const gate = (policy: Partial<ApprovalSpec> = {}): OpenGate =>
  openGate({
    name: 'promote',
    question: 'Use the new value of shop/production/SESSION_SECRET?',
    plan: PLAN,
    requester: 'ana@example.test',
    policy: { ...approvalSpec.parse({}), ...policy },
    now: Date.parse('2026-11-21T10:00:00Z'),
  });

const report = (changes: Partial<RotationReport> = {}): RotationReport => ({
  ref: REF,
  outcome: 'completed',
  method: 'replace',
  operator: 'ana@example.test',
  requestId: 'run',
  startedAt: '2026-11-21T10:00:00.000Z',
  finishedAt: '2026-11-21T10:05:30.000Z',
  steps: [],
  refusals: [],
  proof: null,
  ledgerSequence: 7,
  nextDueAt: '2027-02-19T10:05:30.000Z',
  todo: [],
  ...changes,
});

test('a step that fails and is tried again says so above the steps', () => {
  const trouble = 'attempt 3 failed: no space left on the device; it is tried again';
  const [head = '', steps] = render({ trouble }).split('### Steps');
  expect(head).toContain(`**Not done yet**: ${trouble}`);
  expect(steps).not.toContain('Not done yet');
  expect(render()).not.toContain('Not done yet');
});

test('its commands are those that people type where the plan was made', () => {
  const text = render({ gate: gate(), command: 'npm run -s keyturn --' });
  expect(text).toContain('`npm run -s keyturn -- approve shop/production/SESSION_SECRET --as');
});

test('a waiting run, in full', () => {
  expect(render({ gate: gate(), about: ['reason is a leak: no overlap', 'ana@example.test: ticket 42'] })).toBe(`\
## Waits for a decision (step 2 of 5)

**shop/production/SESSION_SECRET** · replace · asked for by **ana@example.test** (routine)

### Use the new value of shop/production/SESSION_SECRET?

- **Who may decide**: anyone but ana@example.test, who asked for it, may approve; anyone may reject
- **How**: *More Actions* → *Send an Update* (says at once whether it counts) or *Send a Signal* → \`approve\` or \`reject\`
- **With**: \`{"by": "you@example.test", "note": "why", "plan": "abcdefabcdef@01234567"}\`
- **Or**: \`keyturn approve shop/production/SESSION_SECRET --as you@example.test --gate promote --plan abcdefabcdef@01234567\`
- **Until**: 2026-11-22 10:00:00 UTC, then denied, and undone

### Good to know

- reason is a leak: no overlap
- ana@example.test: ticket 42

### Steps

*From step 4 on there is no way back: a failure is not undone any more, a person must act.*

1. ✓ **Prepare** – done in 1.8s: 8 questions asked, all well
2. … **Approval: use the new value** – waits: 1 approval(s), 24h, then denied
3. · Switch: store, then deploy and health of web
4. · Prove: must be refused
5. · Record`);
});

describe('the first line says how things stand', () => {
  const running: ShownStep[] = [STEPS[0]!, { name: 'Switch', state: 'running', startedAt: '2026-11-21T10:00:00.000Z' }];
  test.each<[string, Partial<RunStatus>]>([
    ['Step 2 of 2: Switch', { steps: running }],
    ['Waits for a decision (step 2 of 5)', { gate: gate() }],
    ['Waits until 2026-11-22 10:05:00 UTC (step 2 of 5)', { wait: { what: 'X', until: '2026-11-22T10:05:00.000Z' } }],
    ['Undoing', { phase: 'undoing', steps: [{ name: 'Switch', state: 'failed', error: 'x' }] }],
    ['Completed', { report: report() }],
    ['Completed', { report: report({ proof: { proven: true, because: 'refused in 5 of 5 requests' } }) }],
    [
      'Completed, not proven that the old value is dead',
      { report: report({ proof: { proven: false, because: 'no proof is declared' } }) },
    ],
    ['Rejected: the old value stays in use', { report: report({ outcome: 'rejected' }) }],
    ['Aborted: the old value is in use', { report: report({ outcome: 'aborted' }) }],
    ['Rolled back: the old value is in use', { report: report({ outcome: 'rolled back' }) }],
    ['Cancelled: the old value is in use', { report: report({ outcome: 'cancelled' }) }],
    ['Stopped: a person must act', { report: report({ outcome: 'stopped' }) }],
    ['Not begun: nothing was changed', { report: report({ outcome: 'rolled back', notBegun: true }) }],
    ['Rejected: what this run began is undone', { report: report({ outcome: 'rejected', lasting: ['x'] }) }],
    ['Aborted: what this run began is undone', { report: report({ outcome: 'aborted', lasting: ['x'] }) }],
    ['Stopped: a person must act', { report: report({ outcome: 'stopped', lasting: ['x'] }) }],
  ])('%s', (expected, status) => {
    expect(render(status).split('\n')[0]).toBe(`## ${expected}`);
  });
});

describe('a gate', () => {
  test('says what its deadline decides', () => {
    expect(render({ gate: gate({ onExpiry: 'approve', expiresAfter: '90m' }) })).toContain(
      '- **Until**: 2026-11-21 11:30:00 UTC, then approved\n',
    );
  });

  test('shows who has approved and how many are missing', () => {
    const approvals = [{ by: 'ben', at: '2026-11-21T10:01:02.000Z', note: 'checked' }];
    const text = render({ gate: { ...gate({ approvers: 2 }), approvals } });
    expect(text).toContain('who has approved already, may approve (1 of 2 approvals missing); anyone may reject\n');
    expect(text).toContain('- **Approved** by ben at 2026-11-21 10:01:02 UTC: checked\n');
  });

  test('gives a decision that can be copied as it is', () => {
    const [, json = ''] = /^- \*\*With\*\*: `(.*)`$/m.exec(render({ gate: gate() })) ?? [];
    expect(JSON.parse(json)).toEqual({ by: 'you@example.test', note: 'why', plan: PLAN });
  });
});

test('a cancellation that was asked for is said before the steps, and no more once the run has ended', () => {
  const cancellation = { by: 'ana@example.test', at: '2026-11-21T10:00:00.000Z', tooLate: null };
  const asked = 'Cancellation asked for by ana@example.test, at 2026-11-21T10:00:00.000Z';
  expect(render({ cancellation }).split('### Steps')[0]).toContain(`**${asked}; what is under way ends first**`);
  expect(render({ cancellation, report: report({ outcome: 'cancelled' }) })).not.toContain(
    'asked for by ana@example.test, at',
  );
});

describe('a step says', () => {
  test.each<[string, ShownStep]>([
    ['1. · Switch', { name: 'Switch', state: 'to come' }],
    ['1. ▸ **Switch** – running: will deploy', { name: 'Switch', state: 'running', detail: 'will deploy' }],
    [
      '1. ✓ **Switch** – done in 1m 30s: web is well',
      { name: 'Switch', state: 'done', seconds: 90, evidence: { summary: 'web is well' } },
    ],
    [
      '1. ✗ **Switch** – failed after 2s: web is not healthy',
      { name: 'Switch', state: 'failed', seconds: 2, error: 'web is not healthy' },
    ],
    [
      '1. ↩ **Switch** – undone: web is not healthy; the old value serves again',
      {
        name: 'Switch',
        state: 'undone',
        seconds: 2,
        error: 'web is not healthy',
        evidence: { summary: 'the old value serves again' },
      },
    ],
    ['1. – Switch – not done', { name: 'Switch', state: 'skipped' }],
  ])('%s', (expected, step) => {
    expect(render({ steps: [step] }).split('\n')).toContain(expected);
  });
});

describe('how it ended', () => {
  test('says when, after how long, where it is recorded and when the next one is due', () => {
    expect(render({ report: report() })).toContain(
      '\nEnded 2026-11-21 10:05:30 UTC after 5m 30s · ledger row 7 · next due 2027-02-19\n',
    );
    expect(render({ report: report({ ledgerSequence: null, nextDueAt: null }) })).toContain(
      ' after 5m 30s · not in the ledger\n',
    );
  });

  test('what a person must do comes before the steps', () => {
    const text = render({ report: report({ outcome: 'stopped', todo: ['destroy the old value by hand'] }) });
    expect(text).toContain('### To be done by a person\n\n- destroy the old value by hand\n');
    expect(text.indexOf('by hand')).toBeLessThan(text.indexOf('### Steps'));
  });

  test('what stays although the run was undone comes before the steps', () => {
    const text = render({ report: report({ outcome: 'rolled back', lasting: ['run dead-run is settled'] }) });
    expect(text.split('### Steps')[0]).toContain('### What stays\n\n- run dead-run is settled\n');
    expect(render({ report: report() })).not.toContain('What stays');
  });

  test('no point of no return is shown any more', () => {
    for (const outcome of OUTCOMES) expect(render({ report: report({ outcome }) })).not.toContain('no way back');
  });
});

describe('a failure', () => {
  const logs = [
    'web: exited (1)',
    '```',
    '# not a heading',
    '- not an item',
    ...Array.from({ length: 80 }, (_, n) => `line ${n + 1} ${'x'.repeat(300)}`),
  ].join('\n');
  const steps: ShownStep[] = [
    { name: 'Switch', state: 'failed', error: `web is not healthy:\n\n- last\n# line`, diagnosis: logs },
    { name: 'Record', state: 'running' },
  ];

  test('is named before the steps', () => {
    const text = render({ steps });
    expect(text.split('### Steps')[0]).toContain('**Switch** failed: web is not healthy: - last # line\n');
  });

  test('of several lines is one line of the list', () => {
    const [, list = ''] = render({ steps }).split('### Steps\n\n');
    expect(list.split('\n').slice(0, 2)).toEqual([
      '1. ✗ **Switch** – failed: web is not healthy: - last # line',
      '2. ▸ **Record** – running',
    ]);
  });

  test('shows the state and last words below the steps, each line as code that nothing in it can end', () => {
    const below = (diagnosis: string): string[] =>
      (render({ steps: [{ ...steps[0]!, diagnosis }] }).split('### What "Switch" ended with\n\n')[1] ?? '').split('\n');
    expect(below('web: exited (1)\n\n  # x `y` ``z`` --pid-file')).toEqual([
      '- `web: exited (1)`',
      '- ```# x `y` ``z`` --pid-file```',
    ]);
    const long = below(logs);
    expect(long).toHaveLength(10);
    expect(long[0]).toBe('- `web: exited (1)`');
    expect(long[1]).toMatch(/^- `… \(\d+ lines are left out here\)`$/);
    expect(Math.max(...long.map((line) => line.length))).toBeLessThan(250);
  });
});

describe('what people write', () => {
  const nasty =
    '![x](https://evil.example/p.png) [here](javascript:1) <b>*bold*</b> `code` _it_ ~~no~~ &lt; \\ | \n\n# Approved\n- by everybody';

  test('shows as it is: it formats nothing, links nothing, and forges no line', () => {
    const text = render({
      operator: nasty,
      about: [nasty],
      gate: { ...gate(), question: nasty, approvals: [{ by: nasty, at: '2026-11-21T10:00:00.000Z', note: nasty }] },
      refusals: [nasty],
      steps: [{ name: 'Switch', state: 'done', evidence: { summary: nasty } }],
      report: null,
    });
    expect(text).not.toMatch(/(?<!\\)[[\]<>~]/);
    expect(text).not.toMatch(/^(# |- by everybody)/m);
    expect(text).toContain(String.raw`\_it\_`);
    expect(text).toContain(String.raw`\*bold\*`);
    expect(text).toContain(String.raw`\&lt;`);
  });

  test('links nothing, and a command stays what can be typed', () => {
    const text = render({ refusals: ['see https://evil.example/', 'node reload.js --pid-file x ---'] });
    expect(text).toContain(String.raw`- see https\://evil.example/`);
    expect(text).toContain(String.raw`- node reload.js -\-pid-file x -\-\-`);
  });

  test('never adds a line, whatever it is', () => {
    const lines = render({ refusals: ['x'], about: ['x'], operator: 'x' }).split('\n').length;
    fc.assert(
      fc.property(fc.string(), (text) => {
        const said = render({ refusals: [`x${text}`], about: [`x${text}`], operator: `x${text}` });
        expect(said.split(/\r\n|[\n\r\u2028\u2029]/)).toHaveLength(lines);
      }),
    );
  });

  test('names with underscores read the same raw and rendered', () => {
    expect(render()).toContain('**shop/production/SESSION_SECRET**');
  });
});

test('of many refused decisions the last ones are shown', () => {
  const refusals = Array.from({ length: 50 }, (_, n) => `refusal ${n + 1}`);
  const text = render({ refusals });
  expect(text).toContain('### Decisions that did not count\n\n- … 45 earlier ones\n- refusal 46\n');
  expect(text.indexOf('- refusal 50\n')).toBeLessThan(text.indexOf('### Steps'));
});

test('the longest run stays below the 20 KB that Temporal takes, and says what it leaves out', () => {
  const long = 'ä'.repeat(5_000);
  const failed: ShownStep = {
    name: 'Switch',
    state: 'failed',
    error: long,
    evidence: { summary: long },
    diagnosis: Array.from({ length: 100 }, () => long).join('\n'),
  };
  const done: ShownStep = { name: 'Prepare', state: 'done', evidence: { summary: long } };
  const text = render({
    steps: [...Array.from({ length: 16 }, () => done), failed, failed],
    refusals: Array.from({ length: 50 }, () => long),
    report: report({ outcome: 'stopped', todo: [long, long] }),
  });
  expect(Buffer.byteLength(text)).toBeLessThan(19_000);
  expect(text).toMatch(/\n\*The rest is left out here; `keyturn status` shows all of it\.\*$/);
  expect(text).toContain('### To be done by a person');
});
