import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SecretValue } from '../../src/domain/secret-value.js';
import { copiesOf } from '../../src/stores/copies.js';

const VALUE = 'p@ss/word-123456';
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'keyturn-copies-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

test('a credential is found alone, in URLs, lists, JSON and mounted files, by name only; what takes it over by reference is no copy', async () => {
  const encoded = encodeURIComponent(VALUE);
  const file = join(home, '.env');
  const directory = join(home, 'secrets');
  await mkdir(directory);
  await writeFile(
    file,
    [
      `DATABASE_URL=postgres://app:${encoded}@db/app`,
      `DIRECT_URL="postgres://app:${encoded}@db:5433/app?pgbouncer=true"`,
      `JDBC=jdbc:postgresql://db/app?user=app&password=${encoded}`,
      `DSN='host=db password=${VALUE}'`,
      `LIST=other-value,${VALUE}`,
      `SETTINGS='{"mail":{"password":"${VALUE}"}}'`,
      'TAKES_OVER=${DATABASE_URL}',
      `LONGER=${VALUE}7`,
      'SHORT=app',
    ].join('\n'),
  );
  await writeFile(join(directory, 'db_password'), `${VALUE}\n`);
  await writeFile(join(directory, 'other'), 'something-else-12345');
  const found = await copiesOf(new SecretValue(VALUE), [file, directory, join(home, 'nowhere')]);
  expect(found.map(({ variable, file: place }) => variable ?? place)).toEqual([
    'DATABASE_URL',
    'DIRECT_URL',
    'JDBC',
    'DSN',
    'LIST',
    'SETTINGS',
    join(directory, 'db_password'),
  ]);
  expect(JSON.stringify(found)).not.toContain(VALUE);
});

test('what is equal by chance is no copy', async () => {
  const file = join(home, 'short.env');
  await writeFile(file, 'A=app\n');
  expect(await copiesOf(new SecretValue('app'), [file])).toEqual([]);
});
