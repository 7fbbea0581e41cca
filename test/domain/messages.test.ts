import { describe, expect, test } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import {
  DECISION_SAMPLE,
  parseDecision,
  parseRecoverInput,
  parseRotateInput,
  parseSteer,
  RECOVER_SAMPLE,
  ROTATE_SAMPLE,
} from '../../src/domain/messages.js';

const REQUEST = { system: 'shop', secret: 'SESSION_SECRET', operator: 'ana@example.test' };

function refused(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    expect(error).toBeInstanceOf(KeyturnError);
    expect(error).toMatchObject({ code: 'bad-input', effect: 'none', retryable: false });
    return (error as KeyturnError).message;
  }
  throw new Error('it was taken');
}

test('the samples that people are shown are right themselves', () => {
  expect(parseRotateInput(JSON.parse(ROTATE_SAMPLE))).toEqual(JSON.parse(ROTATE_SAMPLE));
  expect(parseDecision(JSON.parse(DECISION_SAMPLE))).toEqual(JSON.parse(DECISION_SAMPLE));
});

describe('the input of a rotation', () => {
  test('needs a system, a secret and an operator; the reason is routine unless given', () => {
    expect(parseRotateInput(REQUEST)).toEqual({ ...REQUEST, reason: 'routine' });
    const full = { ...REQUEST, environment: 'production', reason: 'leak', note: 'seen in a log' };
    expect(parseRotateInput(full)).toEqual(full);
  });

  test('loses the blanks around a name of a person', () => {
    expect(parseRotateInput({ ...REQUEST, operator: '  ana ' }).operator).toBe('ana');
  });

  test.each<[string, unknown, string]>([
    ['nothing, as an empty form sends', undefined, 'the input of a rotation: '],
    ['null', null, 'the input of a rotation: '],
    ['a text', 'shop/production/SESSION_SECRET', 'the input of a rotation: '],
    ['JSON in a text', JSON.stringify(REQUEST), 'the input of a rotation: '],
    ['a list', [REQUEST], 'the input of a rotation: '],
    ['an object without fields', {}, 'system: '],
    [
      'an unknown field',
      { ...REQUEST, enviroment: 'production' },
      'the input of a rotation: Unrecognized key: "enviroment"',
    ],
    ['an unknown reason', { ...REQUEST, reason: 'boredom' }, 'reason: '],
    [
      'a slash in a name',
      { ...REQUEST, system: 'shop/production' },
      'system: must be a name: letters, digits, ".", "_", "-"',
    ],
    ['a name that climbs out of its folder', { ...REQUEST, secret: '../x' }, 'secret: must be a name'],
    ['a number for a name', { ...REQUEST, environment: 1 }, 'environment: '],
    ['a blank operator', { ...REQUEST, operator: '   ' }, 'operator: must name a person'],
    ['an operator of several lines', { ...REQUEST, operator: 'ana\n## approved' }, 'operator: must be one line'],
    ['a note longer than a note', { ...REQUEST, note: 'x'.repeat(501) }, 'note: '],
  ])('is refused when it is %s, naming what is wrong and showing what is right', (_case, input, problem) => {
    const message = refused(() => parseRotateInput(input));
    expect(message).toContain(problem);
    expect(message.endsWith(`It must be one JSON object such as ${ROTATE_SAMPLE}`)).toBe(true);
  });

  test('is refused with every mistake at once', () => {
    const message = refused(() => parseRotateInput({ system: '', secret: 'A B', reason: 1, extra: true }));
    for (const field of ['system: ', 'secret: ', 'operator: ', 'reason: ', '"extra"']) expect(message).toContain(field);
  });

  test('does not come back in the message: a value pasted by mistake stays where it was pasted', () => {
    for (const input of [
      { ...REQUEST, secret: 'pasted value +/=' },
      'pasted value +/=',
      { ...REQUEST, reason: 'pasted value +/=' },
    ])
      expect(refused(() => parseRotateInput(input))).not.toContain('pasted value');
  });
});

describe('a decision', () => {
  test('needs a person; a note, a gate and a plan are optional', () => {
    expect(parseDecision({ by: ' ben ' })).toEqual({ by: 'ben' });
    const full = { by: 'ben', note: 'why', gate: 'promote', plan: 'abcdefabcdef@01234567' };
    expect(parseDecision(full)).toEqual(full);
  });

  test.each<[string, unknown, string]>([
    ['nothing, as an empty form sends', undefined, 'a decision: '],
    ['only a name', 'ben', 'a decision: '],
    ['nobody', {}, 'by: '],
    ['one letter', { by: 'b' }, 'by: must name a person'],
    ['an unknown field', { by: 'ben', comment: 'ok' }, 'a decision: Unrecognized key: "comment"'],
    ['a name of several lines', { by: 'ben\ncarla' }, 'by: must be one line'],
    [
      'a second self, told apart by what nobody sees',
      { by: 'ben\u200b@example.test' },
      'by: must be one line of visible',
    ],
    ['a gate longer than any', { by: 'ben', gate: 'g'.repeat(61) }, 'gate: '],
  ])('is refused when it is %s, naming what is wrong and showing what is right', (_case, input, problem) => {
    const message = refused(() => parseDecision(input));
    expect(message).toContain(problem);
    expect(message.endsWith(`It must be one JSON object such as ${DECISION_SAMPLE}`)).toBe(true);
  });
});

test('what is sent as JSON is told of the field, what it must be, and a sample of it', () => {
  expect(refused(() => parseDecision({}))).toMatch(
    /^by: is missing; it must be a text, such as "ben@example\.test"\. /,
  );
  expect(refused(() => parseDecision({ by: 7 }))).toMatch(/^by: must be a text, such as "ben/);
  expect(refused(() => parseDecision('ben'))).toMatch(/^a decision: must be a JSON object\. /);
  expect(refused(() => parseSteer('extend', { by: 'ben', for: 'sixhours' }))).toMatch(
    /^for: must be a duration: a whole number and s, m, h or d, such as "6h"\. /,
  );
  expect(refused(() => parseRotateInput({ ...REQUEST, reason: 'boredom' }))).toMatch(
    /^reason: must be one of routine, .*, such as "routine"\. /,
  );
  expect(refused(() => parseRecoverInput({ ...REQUEST, environment: 'production', backups: '/a.age' }))).toMatch(
    /^backups: must be a list\. /,
  );
});

describe('a note', () => {
  const said = (note: string) => refused(() => parseRotateInput({ ...REQUEST, note }));

  test.each([
    'the old one was ghp_abcdefghijklmnopqrstuvwx12',
    'postgres://app:hunter2@db/app was in the log',
    'password: hunter2222',
    'TOKEN=abc123def',
    'it is 9f86d081884c7d659a2feaa0c55ad015',
  ])('that holds what looks like a secret is refused without being repeated', (note) => {
    expect(said(note)).toContain('note: holds what looks like');
    expect(said(note)).not.toContain(note);
    expect(refused(() => parseDecision({ by: 'ben', note }))).toContain('note: holds what looks like');
  });

  test('is kept on one line, whatever was sent', () => {
    expect(parseDecision({ by: 'ben', note: 'ok\n- approved by carla' }).note).toBe('ok ⏎ - approved by carla');
  });

  test.each(['the password was in a log', 'see ticket OPS-1234: token rotation', 'checked with support'])(
    'of plain words is taken: %s',
    (note) => {
      expect(parseDecision({ by: 'ben', note }).note).toBe(note);
    },
  );
});

test('whatever is sent, a refusal says it in few words', () => {
  const huge = 'k'.repeat(1_950_000);
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key${index}`, 1]));
  for (const input of [{ [huge]: 1 }, { by: huge }, { by: 'ben', note: huge }, { by: 'ben', gate: huge }, many, huge])
    expect(refused(() => parseDecision(input)).length).toBeLessThan(900);
});

describe('a recovery', () => {
  const asked = { system: 'arena', environment: 'production', secret: 'KEY', operator: 'ana' };

  test('needs a secret in one environment; archives are named with what opens them, by reference', () => {
    expect(parseRecoverInput(asked)).toEqual({ ...asked, reason: 'routine', backups: [] });
    const full = {
      ...asked,
      reason: 'leak',
      backups: ['/safe/a.age'],
      identity: { file: '/id' },
      passphrase: { env: 'P' },
    };
    expect(parseRecoverInput(full)).toEqual(full);
  });

  test.each<[string, object, string]>([
    ['without an environment', { environment: undefined }, 'environment: '],
    [
      'with a path that is relative to nobody knows what',
      { backups: ['a.age'] },
      'backups.0: must be an absolute path',
    ],
    ['with an identity itself', { identity: 'pasted value' }, 'identity: must be { "env": VARIABLE }'],
  ])('is refused %s', (_case, wrong, problem) => {
    const message = refused(() => parseRecoverInput({ ...asked, ...wrong }));
    expect(message).toContain(problem);
    expect(message).not.toContain('pasted value');
    expect(message.endsWith(`It must be one JSON object such as ${RECOVER_SAMPLE}`)).toBe(true);
  });
});
