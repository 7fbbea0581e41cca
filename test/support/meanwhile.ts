/** Where nothing may happen there is nothing to wait for but time; it is spent looking. Everything else is waited for itself. */
import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 20;

/** @param look throws as soon as it is otherwise. */
export async function stays(milliseconds: number, look: () => unknown): Promise<void> {
  const end = performance.now() + milliseconds;
  do {
    await look();
    await sleep(EVERY_MS);
  } while (performance.now() < end);
  await look();
}

/** For so long at least it does not come to its end, well or not. */
export async function goesOn(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let ended = false;
  const end = (): void => void (ended = true);
  promise.then(end, end);
  await stays(milliseconds, () => {
    if (ended) throw new Error('it has ended already');
  });
}
