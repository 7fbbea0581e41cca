/**
 * Keys of outside providers. One that an administrator saved lies encrypted in `app_integrations` and wins over the
 * variable of the environment. `…_URL` says where a provider's own "does this key work" question goes.
 */
import { createSeal } from './sealed.js';
import { administrator } from './sign-in.js';

const PROVIDERS = {
  barcode: { key: 'BARCODE_API_KEY', url: 'BARCODE_URL' },
  vision: { key: 'VISION_API_KEY', url: 'VISION_URL' },
  tmdb: { key: 'TMDB_API_KEY', url: 'TMDB_URL' },
  plex: { key: 'PLEX_TOKEN', url: 'PLEX_URL' },
};

/**
 * @param {import('express').Express} app
 * @param {{ pool: import('pg').Pool, log: import('./activity.js').ActivityLog, env: NodeJS.ProcessEnv, encryptionKeys: string[] }} tools
 */
export async function addIntegrations(app, { pool, log, env, encryptionKeys }) {
  const seal = createSeal(encryptionKeys);
  for (const { provider, readable } of await saved()) {
    if (!readable)
      console.error(`mediavault: the saved key of ${provider} cannot be decrypted: clear it and save it again`);
  }

  async function saved() {
    const { rows } = await pool.query(
      'SELECT provider, api_key_encrypted, updated_at FROM app_integrations ORDER BY provider',
    );
    return rows.map((row) => {
      const key = seal.open(row.api_key_encrypted, row.provider);
      return { provider: row.provider, updatedAt: row.updated_at, readable: key !== undefined, key };
    });
  }

  /** @type {import('express').RequestHandler} */
  function known(request, response, next) {
    if (Object.hasOwn(PROVIDERS, request.params.provider)) return next();
    response.status(404).json({ error: `provider must be one of ${Object.keys(PROVIDERS).join(', ')}` });
  }

  app.get('/api/integrations', administrator, async (_request, response) => {
    const rows = await saved();
    response.json({
      integrations: Object.entries(PROVIDERS).map(([provider, { key }]) => {
        const row = rows.find((one) => one.provider === provider);
        const source = row ? 'saved' : env[key] ? 'environment' : 'none';
        return { provider, source, readable: row?.readable ?? null, updatedAt: row?.updatedAt ?? null };
      }),
    });
  });

  app.put('/api/integrations/:provider', administrator, known, async (request, response) => {
    const { provider } = request.params;
    const key = request.body?.key;
    if (typeof key !== 'string' || key.length < 8 || key.length > 4_096) {
      return response.status(400).json({ error: 'key must be a text of 8 to 4096 characters' });
    }
    await pool.query(
      `INSERT INTO app_integrations (provider, api_key_encrypted) VALUES ($1, $2)
       ON CONFLICT (provider) DO UPDATE SET api_key_encrypted = excluded.api_key_encrypted, updated_at = now()`,
      [provider, seal.seal(key, provider)],
    );
    await log('integration.saved', request.session.user.username, provider);
    response.json({ provider, source: 'saved', readable: true });
  });

  app.delete('/api/integrations/:provider', administrator, known, async (request, response) => {
    const { provider } = request.params;
    await pool.query('DELETE FROM app_integrations WHERE provider = $1', [provider]);
    await log('integration.cleared', request.session.user.username, provider);
    response.json({ provider, source: 'none' });
  });

  app.post('/api/integrations/:provider/test', administrator, known, async (request, response) => {
    const { provider } = request.params;
    const names = PROVIDERS[/** @type {keyof typeof PROVIDERS} */ (provider)];
    const row = (await saved()).find((one) => one.provider === provider);
    const key = row ? row.key : env[names.key];
    if (row && !key)
      return response.status(409).json({ provider, works: false, error: 'the saved key cannot be decrypted' });
    if (!key) return response.json({ provider, works: null, note: 'no key is saved, nobody was asked' });
    const url = env[names.url];
    if (!url)
      return response.json({ provider, works: null, note: `readable; ${names.url} is not set, nobody was asked` });
    const status = await ask(url, key);
    await log('integration.tested', request.session.user.username, `${provider}: ${status ?? 'no answer'}`);
    const works = status !== undefined && status < 300;
    response.status(works ? 200 : 502).json({ provider, works, status: status ?? null });
  });
}

/** @param {string} url @param {string} key @returns {Promise<number | undefined>} undefined: no answer. */
async function ask(url, key) {
  try {
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(5_000),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return undefined;
  }
}
