// The turns of the reads of one key: one read at a time. A read that takes long waits for the database, so the next one
// begins beside it; and one that has waited long is refused, so that each caller has an answer in time.

import { DomainError } from '@app/tokens';

/** A read that takes longer than this many milliseconds passes its turn on. */
const SLOW_MS = 1000;
/** The longest wait for a turn, in milliseconds. */
const WAIT_MS = 3000;

export class Turns {
  readonly #waiting = new Set<() => void>();
  #isTaken = false;

  /** @param restMs how long nothing of the key is read after a read that took `tookMs`, both in milliseconds */
  constructor(private readonly restMs: (tookMs: number) => number) {}

  /** @throws DomainError `unavailable` when it is not its turn in time, and what the read throws */
  async run<T>(read: () => Promise<T>): Promise<T> {
    if (this.#isTaken) await this.#turn();
    this.#isTaken = true;
    let isOver = false;
    const passOn = (): void => {
      if (isOver) return;
      isOver = true;
      this.#passOn();
    };
    const began = performance.now();
    const slow = setTimeout(passOn, SLOW_MS).unref();
    try {
      return await read();
    } finally {
      clearTimeout(slow);
      const restMs = this.restMs(performance.now() - began);
      if (restMs > 0) setTimeout(passOn, restMs).unref();
      else passOn();
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        clearTimeout(late);
        resolve();
      };
      const late = setTimeout(() => {
        this.#waiting.delete(begin);
        reject(tooLate());
      }, WAIT_MS).unref();
      this.#waiting.add(begin);
    });
  }

  #passOn(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#isTaken = false;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

const tooLate = (): DomainError =>
  new DomainError(
    'unavailable',
    `more is read with this key than can be read within ${WAIT_MS / 1000} s; nothing was changed`,
    {
      retryAfterSeconds: 1,
    },
  );
