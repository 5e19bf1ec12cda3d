// A queue in a fixed order whose entries may become stale while they wait. `first` skips stale entries, which is
// cheaper than removing each one at once.

export class LazyQueue<T> {
  #head = 0;

  constructor(
    private readonly entries: T[],
    private readonly isCurrent: (entry: T) => boolean,
  ) {}

  push(entry: T): void {
    this.entries.push(entry);
  }

  /** The first entry that is not stale, without removing it; undefined when there is none. */
  first(): T | undefined {
    for (; this.#head < this.entries.length; this.#head++) {
      const entry = this.entries[this.#head] as T;
      if (this.isCurrent(entry)) return entry;
    }
    return undefined;
  }

  /** The first entry that is not stale and that the caller wants, without removing it. */
  find(isWanted: (entry: T) => boolean): T | undefined {
    const first = this.first();
    if (first === undefined || isWanted(first)) return first;
    for (let place = this.#head + 1; place < this.entries.length; place++) {
      const entry = this.entries[place] as T;
      if (isWanted(entry) && this.isCurrent(entry)) return entry;
    }
    return undefined;
  }

  /** Returns a function that restores the present queue. It does not restore what makes an entry stale. */
  savepoint(): () => void {
    const [head, length] = [this.#head, this.entries.length];
    return () => {
      this.#head = head;
      this.entries.length = length;
    };
  }
}
