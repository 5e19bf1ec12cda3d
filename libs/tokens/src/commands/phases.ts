// The phases of a transaction and their times, which explain what a caller has waited for.

export class Phases {
  /** By the monotonic clock of this process, in milliseconds, like all following times. */
  readonly began = performance.now();
  /** When the pool was locked and read in the last attempt; null when the transaction never came so far. */
  locked: number | null = null;
  /** When all commands were decided and the writing began. */
  decided: number | null = null;
  /** When the answer to COMMIT or the failure arrived. */
  ended = NaN;
  tries = 0;

  /** The decision of the transaction, under the lock. It runs again when the transaction is retried. */
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
