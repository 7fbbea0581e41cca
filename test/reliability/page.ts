/** docs/reliability.md, made of failures.ts. */
import { FAILURES, type Failure } from './failures.js';

export function reliabilityPage(): string {
  const all = Object.values(FAILURES).flat();
  const open = all.filter(({ tests }) => tests.length === 0).length;
  return [
    '# What goes wrong, and what holds then',
    '',
    'Made from `test/reliability/failures.ts`, by `npx vitest run --project unit test/reliability -u`.',
    '',
    `${all.length} failures around a rotation, ${all.length - open} of them held by tests. A test is named by its file below \`test/\` and its title.`,
    '',
    'The files in `order/` take every runbook through every call: crashed before it, its answer lost, failed before and after its effect,',
    'cancelled before, after and too late, terminated there and taken over by a next run, which gets there or fails too; and says no at each gate. Whatever becomes',
    'of a run is held against one set of invariants (`test/order/support/invariants.ts`).',
    ...Object.entries(FAILURES).flatMap(([title, failures]) => ['', `## ${title}`, ...failures.flatMap(inLines)]),
    '',
  ].join('\n');
}

function inLines({ what, holds, tests, why }: Failure): string[] {
  const by = tests.length > 0 ? tests.map((test) => `- \`${test}\``) : [`- _Not held yet: ${why ?? ''}._`];
  return ['', `**${what}.** ${holds}.`, '', ...by];
}
