/** npm `dotenv` 16 to 18, `parse()`: one regular expression over the whole file, taken over as it stands there. */
import type { EnvReader, Reading } from './reader.js';

const LINE =
  /^\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?$/gm;

export const npmDotenv: EnvReader = {
  name: 'npm dotenv',
  read(text) {
    const variables = new Map<string, Reading>();
    for (const match of text.replaceAll(/\r\n?/g, '\n').matchAll(LINE)) {
      const [, key, written = ''] = match;
      if (key === undefined) continue;
      const trimmed = written.trim();
      const bare = trimmed.replaceAll(/^(['"`])([\s\S]*)\1$/gm, '$2');
      const value = trimmed.startsWith('"') ? bare.replaceAll('\\n', '\n').replaceAll('\\r', '\r') : bare;
      variables.set(key, { value, literal: true });
    }
    return { variables };
  },
};
