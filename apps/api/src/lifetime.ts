// The life of the process: what is started is stopped in the opposite order, also when a signal comes amid the start.

/** An orderly end takes no longer than this; then the process ends as it is, with exit code 1. */
const PATIENCE_MS = 10_000;
/** How long a signal lets the step of the start that is under way go on. */
const START_STEP_MS = 4_000;

/** Every signal that would end the process at once, and leave behind what it has started. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGALRM', 'SIGXCPU', 'SIGVTALRM'] as const;

export class Lifetime {
  readonly #stops: (() => Promise<unknown>)[] = [];
  #isEnding = false;

  /** Asked by the start between its steps. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** How to stop what was just started. */
  onEnd(stop: () => Promise<unknown>): void {
    this.#stops.push(stop);
  }

  /** Runs the start, and ends the process with 0 at a signal, with 1 when the start fails. */
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
