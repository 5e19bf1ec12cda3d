// Lets so many through at a time; the others wait in the order in which they came.

export class Gate {
  readonly #waiting: (() => void)[] = [];

  /** @param restMs for how long a place stays taken after work that took so many milliseconds */
  constructor(
    private free: number,
    private readonly restMs: (tookMs: number) => number = () => 0,
  ) {}

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const began = performance.now();
    try {
      return await work();
    } finally {
      const restMs = this.restMs(performance.now() - began);
      if (restMs > 0) setTimeout(() => this.#leave(), restMs).unref();
      else this.#leave();
    }
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.free++;
  }
}
