// Lets a limited number of tasks run at a time; the others wait in the order in which they came.

export class Semaphore {
  readonly #waiting: (() => void)[] = [];

  /** @param restMs how long a permit stays taken after a task that took `tookMs`, both in milliseconds */
  constructor(
    private free: number,
    private readonly restMs: (tookMs: number) => number = () => 0,
  ) {}

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const began = performance.now();
    try {
      return await task();
    } finally {
      const restMs = this.restMs(performance.now() - began);
      if (restMs > 0) setTimeout(() => this.#release(), restMs).unref();
      else this.#release();
    }
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.free++;
  }
}
