// Lets so many through at a time; the others wait in the order in which they came.

/** Work that took less is followed by no rest, in milliseconds. */
const SHORT_MS = 5;

export class Gate {
  readonly #waiting: (() => void)[] = [];

  /** @param rests whether a place stays taken after its work for as long as that took: half of the time is left to others */
  constructor(
    private free: number,
    private readonly rests = false,
  ) {}

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const began = performance.now();
    try {
      return await work();
    } finally {
      const took = performance.now() - began;
      if (this.rests && took > SHORT_MS) setTimeout(() => this.#leave(), took).unref();
      else this.#leave();
    }
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.free++;
  }
}
