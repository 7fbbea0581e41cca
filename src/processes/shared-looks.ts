/**
 * The same question, asked by many at once: a hundred activities begin, and each wants to know whether any file of the inventory has
 * changed. Who asks while one look is under way shares the next one with all who ask meanwhile. So everybody gets an answer that is
 * no older than his question, and however many ask, at most one looks and the rest wait for one more.
 */
export class SharedLooks<K, T> {
  readonly #underWay = new Map<K, Promise<T>>();
  readonly #next = new Map<K, Promise<T>>();

  /** @param look the same for everybody who asks with this key; whoever asked first for it makes it. */
  ask(key: K, look: () => Promise<T>): Promise<T> {
    const underWay = this.#underWay.get(key);
    if (!underWay) return this.#begin(key, look);
    let next = this.#next.get(key);
    if (!next) {
      const begin = (): Promise<T> => {
        this.#next.delete(key);
        return this.#begin(key, look);
      };
      next = underWay.then(begin, begin);
      this.#next.set(key, next);
    }
    return next;
  }

  #begin(key: K, look: () => Promise<T>): Promise<T> {
    const begun = look().finally(() => {
      if (this.#underWay.get(key) === begun) this.#underWay.delete(key);
    });
    this.#underWay.set(key, begun);
    return begun;
  }
}
