/** So many at a time: each has its own roles and database, and waits more than it works. */
const AT_A_TIME = 8;

export async function inParallel<T, R>(items: readonly T[], body: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const todo = [...items.entries()];
  const lane = async (): Promise<void> => {
    for (let next = todo.shift(); next; next = todo.shift()) results[next[0]] = await body(next[1]);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  return results;
}
