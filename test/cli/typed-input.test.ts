/** Who types options is told of options; JSON is for those who send it. */
import { expect, test } from 'vitest';
import { typedInput } from '../../src/cli/typed-input.js';
import { parseDecision, parseRotateInput, parseSteer } from '../../src/domain/messages.js';

function refusal(parse: () => unknown): unknown {
  try {
    return typedInput(parse, 'VERB shop/production/KEY --as ben@example.test');
  } catch (error) {
    return error;
  }
}

const REQUEST = { system: 'shop', secret: 'KEY', operator: 'ana' };

test.each([
  ['a duration in words', () => parseSteer('extend', { by: 'ben', for: 'sixhours' }), 'how much longer: must be a dur'],
  ['no operator', () => parseRotateInput({ ...REQUEST, operator: '' }), '--operator: must name a person'],
  ['nobody who decides', () => parseDecision({ by: '' }), '--as: must name a person'],
  [
    'a value in a note',
    () => parseDecision({ by: 'ben', note: 'password: hunter2222' }),
    '--note: holds what looks like',
  ],
  ['a bad name', () => parseRotateInput({ ...REQUEST, secret: 'a b' }), "the reference's secret: must be a name"],
])('%s is told by the name of what was typed, without JSON', (_case, parse, message) => {
  const error = refusal(parse);
  expect(error).toMatchObject({
    code: 'bad-input',
    message: expect.stringContaining(message) as string,
    hint: 'type it as in: keyturn VERB shop/production/KEY --as ben@example.test',
  });
  expect((error as Error).message).not.toMatch(/[{}]|JSON|Invalid input/);
});
