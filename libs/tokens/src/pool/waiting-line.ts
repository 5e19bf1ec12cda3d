// A line of tokens in a fixed order, of which entries may go stale while they wait: taking skips those.

export class WaitingLine<T> {
  #head = 0;

  constructor(
    private readonly entries: T[],
    private readonly isStillWaiting: (entry: T) => boolean,
  ) {}

  push(entry: T): void {
    this.entries.push(entry);
  }

  /** The first entry that still waits; it stays in the line. */
  first(): T | undefined {
    for (; this.#head < this.entries.length; this.#head++) {
      const entry = this.entries[this.#head] as T;
      if (this.isStillWaiting(entry)) return entry;
    }
    return undefined;
  }

  /** Returns the function that puts the line back to what it is now. Whether an entry still waits is not its to restore. */
  savepoint(): () => void {
    const [head, length] = [this.#head, this.entries.length];
    return () => {
      this.#head = head;
      this.entries.length = length;
    };
  }
}
