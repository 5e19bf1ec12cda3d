// What the bench must not leave behind: servers, databases, folders. Ends them in the opposite order of their start,
// also after a signal.

export class Resources {
  readonly #ends: (() => Promise<unknown> | void)[] = [];
  #ending: Promise<void> | undefined;

  constructor() {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      process.once(signal, () => void this.end().then(() => process.exit(code)));
    }
  }

  add(end: () => Promise<unknown> | void): void {
    this.#ends.push(end);
  }

  end(): Promise<void> {
    return (this.#ending ??= this.#endAll());
  }

  async #endAll(): Promise<void> {
    for (let end = this.#ends.pop(); end; end = this.#ends.pop()) {
      try {
        await end();
      } catch (error) {
        console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
        process.exitCode = 1;
      }
    }
  }
}
