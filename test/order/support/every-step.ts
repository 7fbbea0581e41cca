/** The matrix of some runbooks as a test file takes it. */
import { expect } from 'vitest';
import type { Reason } from '../../../src/domain/reason.js';
import { carriedOut, placesOf, undisturbed } from './matrix.js';
import { RUNBOOKS, type Runbook } from './runbooks.js';
import { Stage } from './stage.js';

/** So many runs at a time: each waits a moment for the others' turn. */
const AT_A_TIME = 8;
/** A net: it is some two hundred runs, and takes seconds. */
export const LONG_MS = 300_000;

export interface Matrix {
  readonly name: string;
  readonly reason: Reason;
  readonly undisturbed: () => Promise<void>;
  readonly disturbed: () => Promise<void>;
}

export function matricesOf(which: (runbook: Runbook) => boolean): Matrix[] {
  const opened = new Map<'stage', Promise<Stage>>();
  const stage = (): Promise<Stage> => {
    const open = opened.get('stage') ?? Stage.open(RUNBOOKS[0]!);
    opened.set('stage', open);
    return open;
  };
  return RUNBOOKS.filter(which).flatMap((runbook) =>
    runbook.reasons.map((reason) => {
      const plain = async () => await undisturbed(await stage(), runbook, reason);
      return {
        ...{ name: runbook.name, reason },
        undisturbed: async () => expect((await plain())[1]).toEqual([]),
        disturbed: async () => {
          const todo = placesOf(runbook, reason, (await plain())[0]);
          const wrong: string[] = [];
          const lane = async (): Promise<void> => {
            for (let place = todo.shift(); place; place = todo.shift())
              wrong.push(...(await carriedOut(await stage(), place)));
          };
          await Promise.all(Array.from({ length: AT_A_TIME }, lane));
          expect(wrong).toEqual([]);
        },
      };
    }),
  );
}
