// The life of the process: at its end it stops what it started, in the reverse order, even if a signal arrives amid the
// start.

/** The most that an orderly shutdown takes; after it the process exits with code 1. */
const PATIENCE_MS = 10_000;
/** How long a signal waits for the current step of the start. */
const START_STEP_MS = 4_000;

/** All signals whose default action would end the process at once, and leave an embedded database behind. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGALRM', 'SIGXCPU', 'SIGVTALRM'] as const;

export class Lifetime {
  readonly #stops: (() => Promise<unknown>)[] = [];
  #isEnding = false;

  /** The start checks it between its steps. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Registers how to stop what was just started. */
  onEnd(stop: () => Promise<unknown>): void {
    this.#stops.push(stop);
  }

  /** Runs the start. A signal ends the process with exit code 0, a failed start or stop with 1. */
  run(start: () => Promise<void>, onFailure: (error: unknown) => void): void {
    const starting = new Promise(setImmediate).then(start);
    const settled = starting.catch(() => undefined);
    for (const signal of SIGNALS) process.on(signal, () => void this.#end(settled, onFailure));
    starting.catch((error: unknown) => {
      if (this.#isEnding) return;
      onFailure(error);
      process.exitCode = 1;
      void this.#end(Promise.resolve(), onFailure);
    });
  }

  async #end(starting: Promise<unknown>, onFailure: (error: unknown) => void): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    setTimeout(() => process.exit(1), PATIENCE_MS).unref();
    await Promise.race([starting, new Promise((resolve) => setTimeout(resolve, START_STEP_MS).unref())]);
    for (let stop = this.#stops.pop(); stop; stop = this.#stops.pop()) {
      try {
        await stop();
      } catch (error) {
        onFailure(error);
        process.exitCode = 1;
      }
    }
    process.exit();
  }
}
