/** Pages re-encrypted beside the calling thread, which has the driver's work to do. */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { Reencryptor } from '../ciphers/cipher.js';
import { rewritePage, type PageArrays, type RewrittenPage } from './rewrite-page.js';

export interface PageCipher {
  /** How many pages are worked on at a time. */
  readonly atOnce: number;
  rewrite(page: PageArrays): Promise<RewrittenPage>;
  /** What is being worked on is given up. */
  close(): Promise<void>;
}

/** The server writes pages one after the other: more threads than this would wait for it, with AES-GCM too. */
const MOST_THREADS = 3;
/** Megabytes. What a page leaves behind is collected early, and often: with V8's own 32 the peak is higher and it is not faster. */
const YOUNG_MB = 8;

/**
 * The first page is re-encrypted here: it is a small one, and often the only one, and a thread takes 40 ms to start.
 * Nothing is to be closed before a second page was asked for.
 */
export function openPageCipher(reencryptor: Reencryptor): PageCipher {
  const { recipe } = reencryptor;
  const threads = Math.max(1, Math.min(MOST_THREADS, availableParallelism() - 1));
  let pool: Piscina | null = null;
  let pages = 0;
  return {
    atOnce: recipe ? threads : 1,
    async rewrite({ array, associatedArray }) {
      pages += 1;
      if (pages === 1 || !recipe) return rewritePage(reencryptor, { array, associatedArray });
      pool ??= new Piscina({
        filename: createRequire(import.meta.url).resolve('#cipher-thread'),
        workerData: recipe(),
        minThreads: threads,
        maxThreads: threads,
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
      });
      return (await pool.run({ array, associatedArray })) as RewrittenPage;
    },
    async close() {
      await pool?.destroy();
    },
  };
}
