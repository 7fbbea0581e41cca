import { fileURLToPath } from 'node:url';
import pc from 'picocolors';
import { describe, expect, test } from 'vitest';
import { arenaToTry } from '../../src/cli/arena-to-try.js';
import { stepLine } from '../../src/cli/checklist.js';
import { harmless } from '../../src/cli/console.js';
import { decisionCommand, gateLines } from '../../src/cli/gate-help.js';
import { invocation, quoteArgument } from '../../src/cli/invocation.js';
import { listLink, runLink, runningQuery } from '../../src/cli/links.js';
import { createProgram } from '../../src/cli/program.js';
import { selectorArgument } from '../../src/cli/selectors.js';
import { table } from '../../src/cli/table.js';
import { asTyped } from '../../src/domain/as-typed.js';
import type { OpenGate } from '../../src/domain/status.js';

const PLAIN = pc.createColors(false);
const REF = 'shop/production/SESSION_SECRET';
const GATE: OpenGate = {
  name: 'promote',
  question: 'Use the new value?',
  plan: '0123456789ab@01234567',
  openedAt: '2026-11-21T10:00:00.000Z',
  expiresAt: '2026-11-22T10:00:00.000Z',
  onExpiry: 'deny',
  approvals: [],
  approversNeeded: 2,
  allowed: ['Ana', 'ben', "o'neill"],
  requester: 'ana',
  requesterMayApprove: false,
};

describe('printed commands', () => {
  test('use the name of an installed program, and the file of a clone', () => {
    expect(invocation(['node', '/usr/bin/keyturn'], {}, '/srv')).toBe('keyturn');
    expect(invocation(['node', '/x/.bin/keyturn'], { npm_command: 'exec' }, '/srv')).toBe('npx keyturn');
    const ofClone = { npm_package_name: 'keyturn', npm_command: 'start' };
    expect(invocation(['node', '/srv/keyturn/dist/cli/main.js'], ofClone, '/srv')).toBe('npm run -s keyturn --');
    expect(invocation(['node', '/srv/a clone/dist/cli/main.js'], {}, '/srv')).toBe("node 'a clone/dist/cli/main.js'");
  });

  test('in any text become what is typed here, and stay where the way is named already', () => {
    const way = 'npm run -s keyturn --';
    const typed = (text: string): string => asTyped(text, way);
    expect(typed('see `keyturn log --verify`, or keyturn drop-now a/b/C')).toBe(
      `see \`${way} log --verify\`, or ${way} drop-now a/b/C`,
    );
    for (const text of [`${way} status`, 'npx keyturn status', 'a keyturn runbook', 'keyturn plans it', 'x/keyturn up'])
      expect(typed(text)).toBe(text);
    expect(asTyped('keyturn status', 'keyturn')).toBe('keyturn status');
  });

  test('are those of every verb', () => {
    const verbs = createProgram(() => undefined).commands.map((command) => command.name());
    for (const verb of verbs) expect(asTyped(`keyturn ${verb} X`, 'way')).toBe(`way ${verb} X`);
  });

  test('survive a shell whatever they carry', () => {
    expect(quoteArgument('ben@example.test')).toBe('ben@example.test');
    expect(quoteArgument("o'neill; rm -rf $HOME")).toBe(`'o'\\''neill; rm -rf $HOME'`);
  });

  test('name somebody who can still approve, never the requester', () => {
    expect(decisionCommand('approve', REF, GATE)).toContain(' --as ben --gate promote --plan 0123456789ab@01234567');
    const once = { ...GATE, approvals: [{ by: 'BEN', at: GATE.openedAt, note: null }] };
    expect(decisionCommand('approve', REF, once)).toContain(` --as 'o'\\''neill' `);
    expect(decisionCommand('approve', REF, { ...GATE, allowed: null })).toContain(' --as YOUR-NAME ');
  });

  test('come with the question, who may decide and until when', () => {
    const lines = gateLines(REF, GATE, Date.parse(GATE.openedAt));
    expect(lines.join('\n')).toContain('waits for a decision: promote. Use the new value?');
    const who = "ben or o'neill may approve (2 of 2 approvals missing); Ana or ben or o'neill may reject";
    expect(lines).toContain(`  who      ${who}`);
    expect(lines).toContain('  until    2026-11-22T10:00:00.000Z (in 24h)');
  });
});

describe('what there is to try with arena', () => {
  const backups = { identityFile: '/tmp/x y/id.txt', safeIdentityFile: '/tmp/safe/id.txt', variables: {} };
  const variables = { ARENA_ENCRYPTION_KEY_BACKUPS: '/tmp/media/key', ARENA_CONTROL: '/tmp/arena.sock' };
  const arena = { name: 'arena', envFile: '/tmp/.env', backups, variables } as const;

  test('is a backup, a restore, and a key that is lost and got over, each a command that can be typed', () => {
    const lines = arenaToTry([arena], fileURLToPath(new URL('../..', import.meta.url)));
    const text = lines.join('\n');
    expect(text).toMatch(/^ {2}\S.* backup arena --operator ana@example.test --wait$/m);
    expect(text).toContain(
      'backup restore "$(ls -t /tmp/media/key/*.age | head -1)" --identity-file \'/tmp/x y/id.txt\'',
    );
    expect(text).toContain('python3 examples/arena/admin.py --env-file /tmp/.env lose-key --control /tmp/arena.sock');
    expect(text).toMatch(/ recover arena\/production\/CREDENTIAL_ENCRYPTION_KEY --operator ana@example.test --wait$/m);
    expect(text).not.toContain('/tmp/safe');
  });

  test('is nothing where arena does not run', () => {
    expect(arenaToTry([])).toEqual([]);
  });
});

describe('links', () => {
  const ui = { url: 'https://ui.example.test/', namespace: 'default' };

  test('lead to the checklist of a run, and to a list by query', () => {
    expect(runLink(ui, `rotate:${REF}`, 'r1')).toBe(
      'https://ui.example.test/namespaces/default/workflows/rotate%3Ashop%2Fproduction%2FSESSION_SECRET/r1/user-metadata',
    );
    expect(listLink(ui, runningQuery('shop', 'X'))).toBe(
      'https://ui.example.test/namespaces/default/workflows?query=KeyturnSystem%20%3D%20%22shop%22%20AND%20' +
        'KeyturnSecret%20%3D%20%22X%22%20AND%20ExecutionStatus%20%3D%20%22Running%22',
    );
  });

  test('are left out where no UI is known', () => {
    expect(runLink({ ...ui, url: null }, 'x')).toBeNull();
    expect(listLink({ ...ui, url: null }, 'x')).toBeNull();
  });
});

test('a secret may be named by the id of its run, as copied from the UI', () => {
  expect(selectorArgument(`rotate:${REF}`)).toEqual(selectorArgument(REF));
});

test('what a terminal obeys is taken out of text from elsewhere; colours and lines stay', () => {
  expect(harmless('a\u001b[2Jb\u0007c\u009bd\u202ee\rf\ng')).toBe('a [2Jb c d e f\ng');
  expect(harmless('\u001b[32m✓\u001b[39m')).toBe('\u001b[32m✓\u001b[39m');
});

test('tables are whole lines without a frame or trailing blanks', () => {
  const text = table(
    ['Secret', 'Phase'],
    [
      ['a/b/C', 'done'],
      ['a/b/LONGER', ''],
    ],
    PLAIN,
  );
  expect(text).toBe('Secret      Phase\na/b/C       done\na/b/LONGER');
});

test('a step shows how long it took only once it is over, and indents the lines of what it saw', () => {
  const running = { name: 'Deploy', state: 'running', seconds: 3 } as const;
  expect(stepLine(running, PLAIN)).toBe('▸ Deploy');
  expect(stepLine({ ...running, state: 'failed', error: 'web is down\nlog line\n' }, PLAIN)).toBe(
    '✗ Deploy (3s): web is down\n      log line',
  );
});
