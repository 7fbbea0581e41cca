/** A verb's connection to Temporal: opened, used, closed, its failures in words. */
import { KeyturnError } from '../domain/errors.js';
import type { Context } from './context.js';
import type { Ui } from './links.js';
import { readSettings, type Settings } from './settings.js';
import { connectTemporal, fromTemporal, type TemporalClient } from './temporal.js';

export interface Connected {
  readonly temporal: TemporalClient;
  readonly ui: Ui;
  readonly settings: Settings;
}

/** @throws KeyturnError `not-configured` or `temporal-unavailable`, and what `use` throws. */
export async function withTemporal<T>(context: Context, use: (connected: Connected) => Promise<T>): Promise<T> {
  const settings = await readSettings(context);
  if (settings.temporal === null) {
    throw new KeyturnError('not-configured', 'no address of a Temporal server is known', {
      hint: 'start everything embedded with `npm start`, or set TEMPORAL_ADDRESS (or a Temporal profile)',
    });
  }
  const temporal = await connectTemporal(settings.temporal);
  try {
    return await use({ temporal, ui: settings.ui, settings });
  } catch (error) {
    throw fromTemporal(error, temporal.address);
  } finally {
    await temporal.close();
  }
}
