import { readFile } from 'node:fs/promises';
import { createContext, Script } from 'node:vm';
import { expect, test } from 'vitest';

const BUNDLE = new URL('../../dist/workflow-bundle.js', import.meta.url);

/** As the SDK does: what is loaded before the first run is shared by all, the rest is loaded anew for each run. */
test('a run loads nothing anew but the runbooks: no schema, nothing of domain/ (add it to workflows/shared.ts)', async () => {
  const [shared, own] = [new Map<string, unknown>(), new Map<string, unknown>()];
  let loading = shared;
  const cache = new Proxy(
    {},
    {
      get: (_, id) => shared.get(String(id)) ?? own.get(String(id)),
      set: (_, id, module) => loading.set(String(id), module) === loading,
    },
  );
  const context = createContext({ __webpack_module_cache__: cache, TextEncoder });
  const run = (code: string): unknown => new Script(code).runInContext(context);
  run(await readFile(BUNDLE, 'utf8'));
  run('__TEMPORAL__.preloadModules()');
  loading = own;
  run('__TEMPORAL__.importWorkflows()');

  expect([...own.keys()].filter((id) => !/^\.\/(?:src|dist)\/workflows\//.test(id))).toEqual([]);
  expect([...own.keys()].some((id) => id.endsWith('rotate-session-secret.js'))).toBe(true);
  expect([...shared.keys()].some((id) => id.endsWith('domain/messages.js'))).toBe(true);
});
