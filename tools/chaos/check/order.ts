// Real time: what was answered before something else was sent comes before it in the audit. Each look is a search in a
// sorted list; histories are written nearly in order, so sorting them costs next to nothing.

interface Known {
  readonly sent: number;
  readonly answered: number;
  readonly seq: number;
}

export class Order {
  readonly #answered: number[];
  /** The largest seq among all that were answered up to here. */
  readonly #floors: number[];
  readonly #sent: number[];
  /** The smallest seq among all that were sent from here on. */
  readonly #ceilings: number[];

  /** @param writes what changed something; @param reads what saw everything up to their seq */
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

  /** Everything up to this seq was there when something was sent. */
  floor(sent: number): number {
    return this.#floors[firstFrom(this.#answered, sent) - 1] ?? 0;
  }

  /** From this seq on nothing was there yet when something was answered. */
  ceiling(answered: number): number {
    return this.#ceilings[firstFrom(this.#sent, answered)] ?? Infinity;
  }
}

/** The place of the first number that is not smaller. */
function firstFrom(sorted: readonly number[], least: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
