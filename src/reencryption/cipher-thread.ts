/** What a thread of page-cipher.ts does. It opens the cipher once, from the recipe it is started with. */
import { workerData } from 'piscina';
import type { Recipe } from '../ciphers/cipher.js';
import { openReencryptor } from '../ciphers/open-cipher.js';
import { asBuffer } from './binary-array.js';
import { rewritePage, type RewrittenPage } from './rewrite-page.js';

const { format, from, to } = workerData as Recipe;
const reencryptor = openReencryptor(format, { from: Buffer.from(from), to: Buffer.from(to) });

/** What crosses from thread to thread comes as plain bytes. */
interface Arrays {
  readonly array: Uint8Array;
  readonly associatedArray: Uint8Array | null;
}

export default function rewrite({ array, associatedArray }: Arrays): RewrittenPage {
  return rewritePage(reencryptor, {
    array: asBuffer(array),
    associatedArray: associatedArray && asBuffer(associatedArray),
  });
}
