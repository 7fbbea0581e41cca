/** Names that an env file sets, in the dialects that Compose reads. Multi-line values count up to their closing quote. */
export function assignments(text: string): [name: string, value: string][] {
  const found: [string, string][] = [];
  const line = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*("(?:\\[^]|[^"\\])*"|'[^']*'|[^\r\n]*)/gm;
  for (const [, name = '', raw = ''] of text.matchAll(line)) {
    if (raw.startsWith('"')) {
      // Both readings of a backslash: readers differ, and either may be printed.
      found.push([name, raw.slice(1, -1)], [name, unescape(raw.slice(1, -1))]);
    } else if (raw.startsWith("'")) {
      found.push([name, raw.slice(1, -1)]);
    } else {
      found.push([name, raw.replace(/(?<![ \t])[ \t]+#.*$/, '').trim()]);
    }
  }
  return found;
}

function unescape(text: string): string {
  const letters: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  return text.replace(/\\([^])/g, (_, letter: string) => letters[letter] ?? letter);
}
