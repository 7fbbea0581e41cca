/** The benchmark's figures for people, with what is asked of them, or as one JSON document. */
import type { CipherFigures, Figures } from './reencrypt.js';

/** What the sweep must reach, and what it aims at. */
export const TARGETS = {
  timesTheScript: { least: 20, aim: 28 },
  timesTheBestBatched: { least: 3 },
  timeOverFloor: { most: 3.5, aim: 2.5 },
  memoryRatio: { most: 1.2 },
} as const;

export function printReport(figures: Figures, json: boolean): void {
  const lines = json ? [JSON.stringify({ ...rounded(figures), targets: TARGETS }, null, 2)] : report(figures);
  process.stdout.write(`${lines.join('\n')}\n`);
}

function report({ rows, rounds, ciphers, peakMb }: Figures): string[] {
  return [
    `${grouped(rows)} rows of a 64-byte credential, medians of ${rounds} rounds, compare-and-swap on the old value`,
    ...Object.entries(ciphers).flatMap(([name, figures]) => ['', name, ...cipherLines(figures)]),
    '',
    `peak memory   ${Math.round(peakMb.at100k)} MB at 100,000 rows, ${Math.round(peakMb.at1m)} MB at 1,000,000   ` +
      verdict(
        `× ${peakMb.ratio.toFixed(2)}`,
        peakMb.ratio <= TARGETS.memoryRatio.most,
        `at most ${TARGETS.memoryRatio.most}`,
      ),
  ];
}

function cipherLines(figures: CipherFigures): string[] {
  const { rate, bestBatched, timesTheScript, timesTheBestBatched, timeOverFloor, verified } = figures;
  const line = (what: string, value: number, ratio = ''): string =>
    `  ${what.padEnd(44)}${grouped(Math.round(value)).padStart(10)} rows/s   ${ratio}`.trimEnd();
  const { script, batched, floor } = {
    script: TARGETS.timesTheScript,
    batched: TARGETS.timesTheBestBatched,
    floor: TARGETS.timeOverFloor,
  };
  const { elapsed, cipher, otherHere, serverReading, serverWriting } = figures.microsecondsARow;
  const shown = (value: number | null): string => (value === null ? '?' : value.toFixed(1));
  return [
    line('Keyturn', rate.keyturn),
    line(
      'Python, row by row, one transaction',
      rate.script,
      verdict(
        `× ${timesTheScript.toFixed(1)}`,
        timesTheScript >= script.least,
        `at least ${script.least}, aim ${script.aim}`,
      ),
    ),
    line(
      `Python, best batches (${bestBatched})`,
      rate[bestBatched],
      verdict(`× ${timesTheBestBatched.toFixed(1)}`, timesTheBestBatched >= batched.least, `at least ${batched.least}`),
    ),
    line(
      'PostgreSQL, UPDATE of every row',
      rate.floor,
      verdict(
        `${timeOverFloor.toFixed(2)} × its time`,
        timeOverFloor <= floor.most,
        `at most ${floor.most}, aim ${floor.aim}`,
      ),
    ),
    `  checked by Python after each round: ${grouped(verified)} rows decrypt to what they were`,
    `  microseconds a row: ${shown(elapsed)} elapsed; processor time: ${shown(cipher)} cipher, ${shown(otherHere)} else here, ` +
      `${shown(serverReading)} server reading, ${shown(serverWriting)} server writing`,
  ];
}

function verdict(value: string, met: boolean, target: string): string {
  return `${value} (${target}: ${met ? 'met' : 'NOT met'})`;
}

function rounded(value: unknown): object {
  return JSON.parse(
    JSON.stringify(value, (_key, part: unknown) => (typeof part === 'number' ? Number(part.toPrecision(4)) : part)),
  ) as object;
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
