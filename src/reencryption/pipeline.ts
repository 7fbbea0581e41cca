/** Three things at once: one page is being written, the next ones are re-encrypted in other threads, and another is being read. */
import type { Reencryptor } from '../ciphers/cipher.js';
import { openPageCipher } from './page-cipher.js';
import type { RawPage } from './raw-page.js';
import type { RewrittenPage } from './rewrite-page.js';

/** @param settle writes a page; it is called for one page after the other, and each is done before the next is begun. */
export async function reencryptPages(
  pages: AsyncIterable<RawPage>,
  reencryptor: Reencryptor,
  settle: (page: RawPage, result: RewrittenPage) => Promise<void>,
): Promise<void> {
  const cipher = openPageCipher(reencryptor);
  // Begun and not yet written, in order; each waits for the one before it.
  const begun: Promise<void>[] = [];
  let last = Promise.resolve();
  const settleAfter = async (
    before: Promise<void>,
    page: RawPage,
    rewritten: Promise<RewrittenPage>,
  ): Promise<void> => {
    await before;
    await settle(page, await rewritten);
  };
  try {
    for await (const page of pages) {
      const rewritten = cipher.rewrite(page);
      last = settleAfter(last, page, rewritten);
      // Met further down; if that never comes, the first failure is the one to tell.
      for (const promise of [rewritten, last]) promise.catch(() => undefined);
      begun.push(last);
      // One more than are re-encrypted at a time: that one is being written.
      if (begun.length > cipher.atOnce) await begun.shift();
    }
    await last;
  } finally {
    await last.catch(() => undefined);
    await cipher.close();
  }
}
