// Work of which there is one at a time for each name, in the order of asking.

interface Waiting {
  readonly begin: () => void;
  readonly timer: NodeJS.Timeout;
}

export class OneAtATime {
  /** Who waits, for each name whose work is being done. */
  readonly #waiting = new Map<string, Waiting[]>();

  /** @param patienceMs who waited for longer is refused, in milliseconds */
  constructor(
    private readonly patienceMs: number,
    private readonly tooLate: () => Error,
  ) {}

  /** @throws what `tooLate` makes, when the work could not be begun in time */
  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const line = this.#waiting.get(name);
    if (line) await this.#turn(line);
    else this.#waiting.set(name, []);
    try {
      return await work();
    } finally {
      this.#next(name);
    }
  }

  #turn(line: Waiting[]): Promise<void> {
    return new Promise((begin, reject) => {
      const timer = setTimeout(() => {
        line.splice(line.indexOf(waiting), 1);
        reject(this.tooLate());
      }, this.patienceMs);
      const waiting = { begin, timer };
      line.push(waiting);
    });
  }

  #next(name: string): void {
    const next = this.#waiting.get(name)?.shift();
    if (!next) return void this.#waiting.delete(name);
    clearTimeout(next.timer);
    next.begin();
  }
}
