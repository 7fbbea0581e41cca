import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { openReencryptor } from '../../src/ciphers/open-cipher.js';
import { gcmFormat } from '../../src/domain/specs/encryption.js';
import { buildArray, parseArray } from '../../src/reencryption/binary-array.js';
import { openPageCipher, type PageCipher } from '../../src/reencryption/page-cipher.js';
import type { PageArrays, RewrittenPage } from '../../src/reencryption/rewrite-page.js';
import { fernetToken, openFernet } from '../ciphers/support.js';

const TEXT = 25;
const [from, to] = [randomBytes(32), randomBytes(32)];
const open: PageCipher[] = [];

afterEach(async () => {
  for (const cipher of open.splice(0)) await cipher.close();
});

function fernetPages(): PageCipher {
  const cipher = openPageCipher(openReencryptor({ cipher: 'fernet' }, { from, to }));
  open.push(cipher);
  return cipher;
}

function pageOf(values: readonly (Buffer | null)[]): PageArrays {
  return { array: buildArray({ elementType: TEXT, elements: values }), associatedArray: null };
}

function opened({ fresh }: RewrittenPage): (string | null)[] {
  const { elements } = parseArray(Buffer.from(fresh?.array ?? []));
  return elements.map((value) => (value === null ? null : (openFernet(to, value)?.plaintext.toString() ?? null)));
}

test('a page comes to the same in another thread as here', async () => {
  const cipher = fernetPages();
  const pages = [0, 1, 2, 3].map((page) => Array.from({ length: 50 }, (_, row) => `credential ${page}-${row}`));
  const rewritten = await Promise.all(
    pages.map((plain) => cipher.rewrite(pageOf(plain.map((text) => fernetToken(from, text))))),
  );
  expect(rewritten.map(opened)).toEqual(pages);
  expect(rewritten.map(({ fresh }) => fresh?.rows)).toEqual([null, null, null, null]);
});

test('only rows under the old key have a fresh value, and it is said which these are', async () => {
  const cipher = fernetPages();
  const mixed = [null, fernetToken(to, 'new'), fernetToken(from, 'one'), Buffer.from('x'), fernetToken(from, 'two')];
  for (const where of ['here', 'in a thread']) {
    const page = await cipher.rewrite(pageOf(mixed));
    expect(page.states, where).toEqual(['empty', 'new', 'old', 'unreadable', 'old']);
    expect(page.fresh?.rows, where).toEqual([2, 4]);
    expect(opened(page), where).toEqual(['one', 'two']);
    expect(parseArray(Buffer.from(page.fresh?.array ?? [])).elementType).toBe(TEXT);
  }
  expect((await cipher.rewrite(pageOf([null, fernetToken(to, 'new')]))).fresh).toBeNull();
});

test('a thread that cannot open its cipher fails the page', async () => {
  const itself = openReencryptor({ cipher: 'fernet' }, { from, to });
  const format = gcmFormat.parse({ cipher: 'aes-256-gcm', separator: 'a' });
  const cipher = openPageCipher({ ...itself, recipe: () => ({ format, from, to }) });
  open.push(cipher);
  await cipher.rewrite(pageOf([]));
  await expect(cipher.rewrite(pageOf([fernetToken(from, 'a')]))).rejects.toThrow('separator');
});
