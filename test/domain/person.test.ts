import { describe, expect, test } from 'vitest';
import { differentPeople, maybeSamePerson, personName, personProblem, samePerson } from '../../src/domain/person.js';

const ANA = 'ana@example.test';

describe('a name is refused', () => {
  test.each([
    ['with something invisible behind it', `${ANA}\u034f`, 'visible characters'],
    ['with a variation selector', `ana\ufe0f@example.test`, 'visible characters'],
    ['with a Hangul filler', `ana\u3164`, 'visible characters'],
    ['with an empty Braille cell', `ana\u2800`, 'visible characters'],
    ['with a tag character', `ana\u{e0061}`, 'visible characters'],
    ['with a private character', `ana\ue000`, 'visible characters'],
    ['with a line feed', 'ana\n- approved by ben', 'one line'],
    ['with a terminal sequence', 'ana\u001b[2K', 'one line'],
    ['that reads from right to left', 'ana\u202e', 'visible characters'],
    ['of Latin and Cyrillic letters', '\u0430na@example.test', 'mixes Cyrillic and Latin'],
    ['of Latin and Greek letters', 'an\u03b1', 'mixes Latin and Greek'],
    ['of Latin and Cherokee letters', 'an\u13aa', 'mixes Latin and another script'],
    ['that closes what a record says of him', 'ana); approved by ben', 'without ; , ( )'],
    ['of two people', 'ana, ben', 'without ; , ( )'],
    ['with a semicolon from another alphabet', 'ana\u037e approved by ben', 'without ; , ( )'],
    ['that is a secret', 'ghp_abcdefghijklmnopqrstuvwx', 'looks like a secret'],
    ['that was printed to be replaced', 'your-name', 'must be your own name, in place of YOUR-NAME'],
    ['that a checklist shows as a sample', 'you@example.test', 'must be your own name'],
    ['of no length', ' \u00a0 ', 'must name a person'],
    ['longer than any, however long', 'a'.repeat(1_000_000), '120 characters'],
    ['that grows when it is written out', '\ufdfa'.repeat(100), '120 characters'],
  ])('%s', (_case, name, problem) => {
    expect(personProblem(name)).toContain(problem);
    expect(personName().safeParse(name).success).toBe(false);
  });
});

test.each([
  'ana',
  'Zoë Müller',
  "d'Arcy",
  'Анна Петрова',
  '山田 たろう',
  'CORP\\ana',
  'github|123',
  'ana+ops@example.test',
])('"%s" is a name', (name) => {
  expect(personProblem(name)).toBeNull();
});

test('blanks around and within, and the several ways to write a letter, are gone from a name that is kept', () => {
  expect(personName().parse(' ﬁona \u00a0  example ')).toBe('fiona example');
});

test.each([
  ['ana@example.test', 'ANA@Example.test'],
  ['ana@example.test', 'ana+second@example.test'],
  ['ana@example.test', 'ana@example.test.'],
  ['ana@example.test', ' ana@example.test\t'],
  ['ana@example.test', 'аnа@example.test'],
  ['ana', 'аnа'],
  ['асе', 'ace'],
  ['josé', 'jose'],
  ['STRASSE', 'straße'],
  ['ａｎａ', 'ana'],
  ['anne-marie', 'anne‑marie'],
])('"%s" and "%s" may be one person, so the one does not approve what the other asked for', (one, other) => {
  expect(maybeSamePerson(one, other)).toBe(true);
  expect(differentPeople([one, other])).toBe(1);
});

test('a list of who may decide admits nobody who only looks like one of it', () => {
  expect(samePerson('ana+x@example.test', ANA)).toBe(false);
  expect(samePerson('асе', 'ace')).toBe(false);
  expect(samePerson(' ANA@example.test', ANA)).toBe(true);
});

test('people with different names are different', () => {
  expect(differentPeople(['ana', 'anna', 'ben', 'ana@example.test', '+1', '+2'])).toBe(6);
});
