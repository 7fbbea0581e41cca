/**
 * `docker run --env-file` and Compose's `env_file: [{ format: raw }]`, after docker/cli `pkg/kvfile` and compose-go: a line is a
 * name, `=` and the value to the last blank; there are neither quotes nor comments behind a value, and nothing is expanded.
 */
import { withoutByteOrderMark, type EnvReader, type Reading } from './reader.js';

const LINE_START = /^[ \t]+/;

export const raw: EnvReader = {
  name: 'docker run --env-file',
  read(text) {
    const variables = new Map<string, Reading>();
    for (const [index, whole] of withoutByteOrderMark(text).split(/\r?\n/).entries()) {
      const line = whole.replace(LINE_START, '');
      if (line === '' || line.startsWith('#')) continue;
      const equals = line.indexOf('=');
      const key = equals === -1 ? line : line.slice(0, equals);
      if (key === '' || /[ \t]/.test(key)) return { variables: new Map(), brokenAt: index + 1 };
      if (equals !== -1) variables.set(key, { value: line.slice(equals + 1), literal: true });
    }
    return { variables };
  },
};
