// Checks real-time order: an operation whose answer came before another one was sent is earlier in the audit. Each
// lookup is a binary search; histories are nearly in order, so that sorting them is cheap.

interface Known {
  readonly sent: number;
  readonly answered: number;
  readonly seq: number;
}

export class Order {
  readonly #answered: number[];
  /** The largest seq of all operations answered up to each index. */
  readonly #floors: number[];
  readonly #sent: number[];
  /** The smallest seq of all operations sent from each index on. */
  readonly #ceilings: number[];

  /** @param writes operations that changed something @param reads operations that saw everything up to their seq */
  constructor(writes: readonly Known[], reads: readonly Known[]) {
    const all = [...writes, ...reads].sort((a, b) => a.answered - b.answered);
    let floor = 0;
    this.#answered = all.map(({ answered }) => answered);
    this.#floors = all.map(({ seq }) => (floor = Math.max(floor, seq)));
    const bySending = [...writes].sort((a, b) => a.sent - b.sent);
    let ceiling = Infinity;
    this.#sent = bySending.map(({ sent }) => sent);
    this.#ceilings = bySending
      .reverse()
      .map(({ seq }) => (ceiling = Math.min(ceiling, seq)))
      .reverse();
  }

  /** @returns the seq up to which all events existed at this instant */
  floor(sent: number): number {
    return this.#floors[firstFrom(this.#answered, sent) - 1] ?? 0;
  }

  /** @returns the seq from which on no event existed at this instant */
  ceiling(answered: number): number {
    return this.#ceilings[firstFrom(this.#sent, answered)] ?? Infinity;
  }
}

/** @returns the index of the first number that is not smaller than `least` */
function firstFrom(sorted: readonly number[], least: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
