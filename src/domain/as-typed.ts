/** Commands in texts for people are written `keyturn VERB …`; here they become what this person, or this worker's people, type. */

/** Every verb; test/cli/printed.test.ts holds the list against the program's own. */
const VERBS =
  'abort|approve|backup|cancel|discard|drop-now|extend|go-on-without|help|inventory|ledger|log|plan|recover|reject|rotate|schema|status|stop-here|try-again|up|worker';
/** Not where a text names the way already: `npx keyturn status`, `npm run -s keyturn -- status`. */
const COMMAND = new RegExp(`(?<!npx )(?<![\\w./@-])keyturn (?=(?:${VERBS})(?![\\w-])|--help|\\[options\\])`, 'g');

/** @param way how Keyturn is called there: `keyturn`, `npm run -s keyturn --`. */
export function asTyped(text: string, way: string): string {
  return way === 'keyturn' ? text : text.replace(COMMAND, () => `${way} `);
}
