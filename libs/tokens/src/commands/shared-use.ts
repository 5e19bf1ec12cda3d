// Whether several users share something, by who used it and when. The executor asks this of pools, and the HTTP layer
// of API keys.

export class SharedUse {
  #lastUser: string | null = null;
  #changedAt = -Infinity;

  note(user: string): void {
    if (user === this.#lastUser) return;
    if (this.#lastUser !== null) this.#changedAt = performance.now();
    this.#lastUser = user;
  }

  /** Whether the user has changed within the last `ms` milliseconds. */
  isWithin(ms: number): boolean {
    return this.#changedAt > -Infinity && performance.now() < this.#changedAt + ms;
  }
}
