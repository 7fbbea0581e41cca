import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jsQR from 'jsqr';
import { PNG } from 'pngjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeArchive } from '../../src/backups/make-archive.js';
import { drawArchive, printArchive } from '../../src/backups/qr.js';
import { isPart, joinParts, splitParts } from '../../src/backups/qr-parts.js';
import { readArchive, restore } from '../../src/backups/restore.js';
import type { QrFormat } from '../../src/domain/specs/backup.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { backupFixture, running, type BackupFixture } from './support/fixture.js';

// Finding a code in a million pixels takes a while on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

/** As a scanner sees it: the text in the code, and how many modules it has on a side. */
function scan(picture: Buffer, format: QrFormat): { text: string; version: number } {
  const { data, width, height } = format === 'png' ? PNG.sync.read(picture) : rasterised(picture.toString('utf8'));
  const code = jsQR.default(new Uint8ClampedArray(data), width, height);
  if (!code) throw new Error('there is no code in this picture');
  return { text: Buffer.from(code.binaryData).toString('latin1'), version: code.version };
}

/** The one path that the code is drawn with: rows of strokes, as `M4 4.5h7m2 0h1`. */
function rasterised(svg: string): { data: Uint8Array; width: number; height: number } {
  const side = Number(/viewBox="0 0 (\d+) \1"/.exec(svg)?.[1]);
  const path = /stroke="#000000" d="([^"]+)"/.exec(svg)?.[1] ?? '';
  const scale = 4;
  const width = side * scale;
  const data = new Uint8Array(width * width * 4).fill(255);
  let [x, y] = [0, 0];
  for (const [, command, first = '0', second = '0'] of path.matchAll(/([Mmh])(-?[\d.]+)(?:[ ,]?(-?[\d.]+))?/g)) {
    if (command === 'M') [x, y] = [Number(first), Math.floor(Number(second))];
    else if (command === 'm') [x, y] = [x + Number(first), y + Number(second)];
    else {
      for (let row = y * scale; row < (y + 1) * scale; row += 1) {
        for (let column = x * scale; column < (x + Number(first)) * scale; column += 1) {
          data.fill(0, (row * width + column) * 4, (row * width + column) * 4 + 3);
        }
      }
      x += Number(first);
    }
  }
  return { data, width, height: width };
}

/** Armored text of about so many bytes. */
function armored(bytes: number): string {
  const lines = randomBytes(bytes)
    .toString('base64')
    .match(/.{1,64}/g)!;
  return ['-----BEGIN AGE ENCRYPTED FILE-----', ...lines, '-----END AGE ENCRYPTED FILE-----', ''].join('\n');
}

describe('an archive in parts', () => {
  it('that fits one code is that archive, and nothing else', () => {
    const archive = armored(500);
    expect(splitParts(archive)).toEqual([archive]);
    expect(isPart(archive)).toBe(false);
  });

  it.each([700, 760, 1_000, 1_500, 3_000, 8_000])(
    'of %i bytes goes into codes of 997 bytes at the most, and back',
    (bytes) => {
      const archive = armored(bytes);
      const parts = splitParts(archive);
      for (const part of parts) expect(part.length).toBeLessThanOrEqual(997);
      if (parts.length === 1) return;
      parts.forEach((part, index) =>
        expect(part).toMatch(new RegExp(`^KEYTURN ${index + 1}/${parts.length} [0-9a-f]{8}\n`)),
      );
      expect(joinParts(parts)).toBe(archive);
      expect(joinParts([...parts].reverse())).toBe(archive);
      expect(joinParts([...parts, parts[0]!])).toBe(archive);
    },
  );

  it('is put together whatever a scanning program does to line ends', () => {
    const archive = armored(2_000);
    const changes: ((part: string) => string)[] = [
      (part) => part.trimEnd(),
      (part) => `${part}\n\n`,
      (part) => part.replaceAll('\n', '\r\n'),
      (part) => `\ufeff${part}`,
      (part) => `\n${part}`,
    ];
    for (const change of changes) expect(joinParts(splitParts(archive).map(change))).toBe(archive);
  });

  it('of which some are missing, foreign or misread are told so', () => {
    const [parts, others] = [splitParts(armored(2_000)), splitParts(armored(2_000))];
    expect(() => joinParts([parts[0]!])).toThrow('of 4 parts these are missing: 2, 3, 4');
    expect(() => joinParts([parts[0]!, others[1]!, parts[2]!, parts[3]!])).toThrow('different archives');
    const misread = parts[1]!.replace(/[A-Z]/g, 'Q').replace('QQQQQQQ', 'KEYTURN');
    expect(() => joinParts([parts[0]!, misread, parts[2]!, parts[3]!])).toThrow('not scanned correctly');
    expect(() => joinParts([parts[0]!, 'hello'])).toThrow('does not begin with KEYTURN');
    expect(() => joinParts([])).toThrow('no part');
  });

  it('is refused when nobody would scan so many', () => {
    expect(() => splitParts(armored(20_000))).toThrow(/would take \d+ codes, more than 12/);
  });
});

describe.each(['png', 'svg'] as const)('a picture as %s', (format) => {
  it('says, scanned, what was drawn, at version 25 or below', async () => {
    for (const archive of [armored(300), armored(2_000)]) {
      const seen = (await drawArchive(archive, format, 'title')).map((picture) => scan(picture, format));
      for (const { version } of seen) expect(version).toBeLessThanOrEqual(25);
      const texts = seen.map(({ text }) => text);
      expect(texts.length === 1 ? texts[0] : joinParts(texts)).toBe(archive);
    }
  });

  it.runIf(format === 'png')('can still be read with a blot on it', async () => {
    const archive = armored(500);
    const [picture] = await drawArchive(archive, format, 'title');
    const png = PNG.sync.read(picture!);
    const [from, to] = [Math.floor(png.width * 0.45), Math.floor(png.width * 0.6)];
    for (let row = from; row < to; row += 1)
      png.data.fill(255, (row * png.width + from) * 4, (row * png.width + to) * 4);
    expect(scan(PNG.sync.write(png), 'png').text).toBe(archive);
  });
});

describe('a printed backup', () => {
  let fixture: BackupFixture;
  let scans: string;
  beforeEach(async () => {
    fixture = await backupFixture();
    scans = await mkdtemp(join(tmpdir(), 'keyturn-scans-'));
  });
  afterEach(async () => {
    await fixture.remove();
    await rm(scans, { recursive: true });
  });

  it.each(['png', 'svg'] as const)('as %s restores from what a scanner reads', async (format) => {
    const plan = fixture.plan();
    await makeArchive(plan, await fixture.deps(plan), running);
    const files = await printArchive(plan, format, fixture.seals);
    expect(files.map((file) => /\.qr-(\dof\d\.\w+)$/.exec(file)?.[1])).toEqual([`1of2.${format}`, `2of2.${format}`]);
    // Made again by another attempt, it is the same.
    expect(await printArchive(plan, format, fixture.seals)).toEqual(files);
    const texts = await Promise.all(
      files.map(async (file, index) => {
        expect((await stat(file)).mode & 0o777).toBe(0o600);
        const path = join(scans, `${index}.txt`);
        await writeFile(path, scan(await readFile(file), format).text);
        return path;
      }),
    );
    const archive = await readArchive(texts.reverse());
    const contents = await restore(archive, { identity: new SecretValue(fixture.identity) }, running);
    expect(contents.values.map(({ value }) => value.reveal())).toEqual([fixture.values.KEY, fixture.values.SESSION]);
  });

  it('is not drawn of an archive that somebody replaced', async () => {
    const plan = fixture.plan();
    const { place } = await makeArchive(plan, await fixture.deps(plan), running);
    await writeFile(place.archive, armored(300));
    await expect(printArchive(plan, 'svg', fixture.seals)).rejects.toMatchObject({ code: 'archive-changed' });
    await rm(place.archive);
    await expect(printArchive(plan, 'svg', fixture.seals)).rejects.toMatchObject({ code: 'archive-missing' });
  });

  it('as SVG says under the code what it is', async () => {
    const plan = fixture.plan();
    await makeArchive(plan, await fixture.deps(plan), running);
    const [file] = await printArchive(plan, 'svg', fixture.seals);
    expect(await readFile(file!, 'utf8')).toContain(
      '>arena--production--keys--20261121T230405Z-ef012345.age · 1 of 2</text>',
    );
  });
});
