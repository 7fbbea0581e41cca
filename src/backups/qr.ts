/** Pictures of the encrypted archive, to be printed and put away (document 004: "printed QR code in a physically secured location"). */
import { basename } from 'node:path';
import QRCode from 'qrcode';
import type { BackupPlan } from '../domain/backup.js';
import { KeyturnError } from '../domain/errors.js';
import type { QrFormat } from '../domain/specs/backup.js';
import { replaceFile } from '../stores/files/replace-file.js';
import { readManifest, readWhole, sha256 } from './manifest.js';
import { placeOf } from './places.js';
import { splitParts } from './qr-parts.js';
import type { Sealer } from './seal.js';

/** A corner of the print may be lost: level M restores 15 %. The margin is the one that ISO/IEC 18004 asks for. */
const OPTIONS = { errorCorrectionLevel: 'M', margin: 4 } as const;
/** Millimetres. Version 25 has 117 modules: 0.8 mm each, which a telephone reads from plain paper. */
const WIDTH = 100;
const CAPTION = 12;
/** Pixels a module: two thirds of a millimetre at 300 dpi. */
const PIXELS = 8;

/** @returns one picture a part, in order. @throws KeyturnError `qr-too-large`. */
export async function drawArchive(archive: string, format: QrFormat, title: string): Promise<Buffer[]> {
  const parts = splitParts(archive);
  const pictures: Buffer[] = [];
  for (const [index, part] of parts.entries()) {
    // Bytes: archives have small letters and line ends.
    const segments = [{ data: Buffer.from(part, 'latin1'), mode: 'byte' as const }];
    if (format === 'png') {
      pictures.push(await QRCode.toBuffer(segments, { ...OPTIONS, type: 'png', scale: PIXELS }));
    } else {
      const code = await QRCode.toString(segments, { ...OPTIONS, type: 'svg' });
      pictures.push(page(code, `${title} · ${index + 1} of ${parts.length}`));
    }
  }
  return pictures;
}

/**
 * Beside the archive, `ARCHIVE.qr-1of2.svg`. Idempotent: the same archive gives the same pictures.
 * @returns the files. @throws KeyturnError `qr-too-large`, `archive-missing`, `archive-changed`, and as `replaceFile`.
 */
export async function printArchive(plan: BackupPlan, format: QrFormat, seals: Sealer): Promise<string[]> {
  const place = placeOf(plan);
  const [archive, found] = [await readWhole(place.archive), await readManifest(place.manifest, seals)];
  if (archive === null) throw new KeyturnError('archive-missing', `the archive ${place.archive} is gone`);
  // Whoever put another archive there would have it printed and locked away as the backup.
  if (found.state !== 'sealed' || sha256(archive) !== found.manifest.sha256) {
    throw new KeyturnError('archive-changed', `the archive ${place.archive} is not what was written`);
  }
  const pictures = await drawArchive(archive.toString('latin1'), format, basename(place.archive));
  const files = pictures.map((_, index) => `${place.archive}.qr-${index + 1}of${pictures.length}.${format}`);
  for (const [index, path] of files.entries()) {
    const content = pictures[index] ?? Buffer.alloc(0);
    await replaceFile({ path, content, mode: 0o600, guard: () => Promise.resolve() });
  }
  return files;
}

/** The code with a line under it that says what it is: a print in a safe has no file name. Names need no escaping (NAME_PATTERN). */
function page(code: string, caption: string): Buffer {
  const inner = code.trim().replace('<svg ', `<svg width="${WIDTH}" height="${WIDTH}" `);
  const height = WIDTH + CAPTION;
  const text = `<text x="${WIDTH / 2}" y="${WIDTH + CAPTION / 3}" font-family="monospace" font-size="2.4" text-anchor="middle">${caption}</text>`;
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}mm" height="${height}mm" viewBox="0 0 ${WIDTH} ${height}">` +
      `<rect width="100%" height="100%" fill="#ffffff"/>${inner}${text}</svg>\n`,
    'utf8',
  );
}
