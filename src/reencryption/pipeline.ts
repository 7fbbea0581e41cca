/** Three things at once: one page is being written, the next is re-encrypted here, and the one after is being read. */
import type { Reencryptor } from '../ciphers/cipher.js';
import type { RawPage } from './read-pages.js';
import { rewritePage, type RewrittenPage } from './rewrite-page.js';

/** @param settle writes a page; it is called for one page after the other, and each is done before the next is begun. */
export async function reencryptPages(
  pages: AsyncIterable<RawPage>,
  reencryptor: Reencryptor,
  settle: (page: RawPage, result: RewrittenPage) => Promise<void>,
): Promise<void> {
  let writing = Promise.resolve();
  try {
    for await (const page of pages) {
      const result = rewritePage(reencryptor, page);
      await writing;
      writing = settle(page, result);
      // Met by the next turn; if that never comes, the first failure is the one to tell.
      writing.catch(() => undefined);
    }
    await writing;
  } finally {
    // Whatever failed, nothing is being written any more when it is told.
    await writing.catch(() => undefined);
  }
}
