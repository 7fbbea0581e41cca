/** A headless Chromium with a profile of its own, gone when the file is done, and the pictures it takes. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { temporaryDirectory } from '../../../src/embedded/directories.js';
import { afterwards } from '../../support/afterwards.js';

/** Set to a directory to keep the pictures there. */
const KEEP_SCREENSHOTS = 'KEYTURN_SCREENSHOTS';
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** A net for a busy machine, on which a page may take half a minute to come alive. */
const PATIENCE_MS = 60_000;

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-breakpad',
];

export interface Browser {
  readonly page: Page;
  /** A picture of the page, numbered in the order of taking. */
  picture(name: string): Promise<void>;
}

/** The executable; null where there is none. */
export function findChromium(): string | null {
  const named = process.env['CHROMIUM_PATH'];
  const places = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = named ? [named] : places.flatMap((place) => NAMES.map((name) => join(place, name)));
  return candidates.find(isExecutable) ?? null;
}

export async function openBrowser(executablePath: string): Promise<Browser> {
  const home = await temporaryDirectory('chromium');
  const keep = process.env[KEEP_SCREENSHOTS];
  const pictures = keep ?? join(home.path, 'pictures');
  mkdirSync(pictures, { recursive: true });
  const context = await chromium.launchPersistentContext(join(home.path, 'profile'), {
    executablePath,
    headless: true,
    args: FLAGS,
    viewport: { width: 1_400, height: 1_600 },
    timezoneId: 'UTC',
  });
  afterwards(async () => {
    await context.close();
    await home.remove();
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = context.pages()[0] ?? (await context.newPage());
  let taken = 0;
  return {
    page,
    picture: async (name) => {
      taken += 1;
      await page.screenshot({ path: join(pictures, `${String(taken).padStart(2, '0')}-${name}.png`) });
    },
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
