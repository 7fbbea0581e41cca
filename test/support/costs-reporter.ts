/** What each file costs: the ten longest at the end of a run, and a fast suite that stays fast. */
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestModule, Vitest } from 'vitest/node';
import { DEEP } from './sample.js';

const LISTED = 10;
/**
 * On a quiet machine of two cores the files of the fast suite take so many seconds together, one after the other, and none more than
 * LONGEST of them. As a share of the whole, so that a busy machine fails nobody.
 */
const WHOLE = 1_200;
const LONGEST = 30;
/** A net: samples differ from tree to tree, and neighbours weigh. In two whole runs the longest file took 1.4 times its share (66 of 49 s). */
const TOLERANCE = 2.5;
/** Set to a file to write the seconds of every file to, as test/support/costs.json has them. */
const WRITE = 'KEYTURN_TEST_COSTS';

export default class CostsReporter implements Reporter {
  private vitest: Vitest | undefined;
  private all = 0;

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  async onTestRunStart(): Promise<void> {
    this.all = (await this.vitest?.globTestSpecifications())?.length ?? 0;
    if (!DEEP) console.log(`samples: KEYTURN_SAMPLE=${process.env['KEYTURN_SAMPLE'] ?? ''}\n`);
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const files = modules
      .map((module) => ({
        name: relative(this.vitest?.config.root ?? '', module.moduleId),
        seconds: secondsOf(module),
      }))
      .sort((a, b) => b.seconds - a.seconds);
    const whole = files.reduce((sum, { seconds }) => sum + seconds, 0);
    console.log(`\n longest of ${files.length} files, which took ${Math.round(whole)} s one after the other:`);
    for (const { name, seconds } of files.slice(0, LISTED))
      console.log(`   ${seconds.toFixed(1).padStart(6)} s  ${name}`);
    const file = process.env[WRITE];
    if (file !== undefined) writeFileSync(file, table(files));
    if (DEEP || files.length < this.all) return;
    const most = (whole * LONGEST * TOLERANCE) / WHOLE;
    for (const { name, seconds } of files.filter((one) => one.seconds > most)) {
      process.exitCode = 1;
      console.error(
        `error: ${name} takes ${Math.round(seconds)} s, more than its share of ${Math.round(most)} s (${LONGEST} s of ${WHOLE}, and two and a half times that for its neighbours)\n` +
          'hint: share a set-up, take a sample (test/support/sample.ts), or leave it to the deep suite (*.deep.test.ts)',
      );
    }
  }
}

function secondsOf(module: TestModule): number {
  const { duration, collectDuration, setupDuration } = module.diagnostic();
  return (duration + collectDuration + setupDuration) / 1_000;
}

/** Of those that are worth dealing out. */
function table(files: readonly { readonly name: string; readonly seconds: number }[]): string {
  const worth = files.filter(({ seconds }) => seconds >= 5).map(({ name, seconds }) => [name, Math.round(seconds)]);
  return `${JSON.stringify(Object.fromEntries(worth), null, 2)}\n`;
}
