// How far a transaction has come, and when: what somebody who waited for it waited for.

export class Phases {
  /** By this process's monotonic clock, in milliseconds, like all that follow. */
  readonly began = performance.now();
  /** When the pool was locked and read, at the last try; null when it never came so far. */
  locked: number | null = null;
  /** When everything was decided, and the writing began. */
  decided: number | null = null;
  /** When the answer to COMMIT came, or the failure. */
  ended = NaN;
  tries = 0;

  /** The decision of the transaction: it is made under the lock, and made again when the transaction is tried again. */
  deciding<T>(decide: () => T): T {
    this.tries++;
    this.locked = performance.now();
    try {
      return decide();
    } finally {
      this.decided = performance.now();
    }
  }

  end(): this {
    this.ended = performance.now();
    return this;
  }
}
