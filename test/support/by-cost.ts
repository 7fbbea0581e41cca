/** The order of test files, and how they are dealt out to the parts of the deep suite: by what each costs. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Seconds of each file of the deep suite, as KEYTURN_TEST_COSTS=test/support/costs.json npm run test:deep has written them. */
const COSTS = JSON.parse(readFileSync(new URL('./costs.json', import.meta.url), 'utf8')) as Record<string, number>;

/** Of a file that is too cheap to be in the table, or too new. */
const USUAL_SECONDS = 4;

export class ByCost extends BaseSequencer {
  /** The longest first: none is begun last and waited for alone. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((a, b) => groupOf(a) - groupOf(b) || this.cost(b) - this.cost(a));
  }

  /** Each file, from the longest on, goes to the part that has least until then: the same on every machine. */
  override shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { index, count } = this.ctx.config.shard ?? { index: 1, count: 1 };
    const parts = Array.from({ length: count }, () => ({ seconds: 0, files: [] as TestSpecification[] }));
    const byCost = [...files].sort((a, b) => this.cost(b) - this.cost(a) || this.name(a).localeCompare(this.name(b)));
    for (const file of byCost) {
      const least = parts.reduce((one, other) => (other.seconds < one.seconds ? other : one));
      least.files.push(file);
      least.seconds += this.cost(file);
    }
    return Promise.resolve(parts[index - 1]?.files ?? []);
  }

  private cost(file: TestSpecification): number {
    return COSTS[this.name(file)] ?? USUAL_SECONDS;
  }

  private name({ moduleId }: TestSpecification): string {
    return relative(this.ctx.config.root, moduleId);
  }
}

function groupOf({ project }: TestSpecification): number {
  return project.config.sequence.groupOrder;
}
