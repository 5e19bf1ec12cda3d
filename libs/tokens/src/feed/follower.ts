// One reader of a pool's feed that never ends: pages of the past, then what is new, without a gap or a repeat.

import { DomainError } from '../kernel/domain-error.js';
import type { PoolTail } from './pool-tail.js';
import type { OwnedEvent } from '../reading/views.js';

/** How long a store that cannot be reached is left alone. */
const RETRY_MS = 1000;

export class Follower {
  #wake = (): void => undefined;
  #hasEnded = false;

  /**
   * @param position the seq after which it goes on
   * @param page reads events after a seq, oldest first
   */
  constructor(
    private readonly tail: PoolTail,
    private position: number,
    private readonly page: (after: number) => Promise<readonly OwnedEvent[]>,
    private readonly onEnd: () => void,
  ) {}

  get poolName(): string {
    return this.tail.poolName;
  }

  /** The seq up to which `next` has answered. */
  get reaches(): number {
    return this.position;
  }

  /** How many events it has still to be given. */
  get isBehindBy(): number {
    return Math.max(0, this.tail.reaches - this.position);
  }

  /**
   * The next events, one at least, as soon as there are any: while the store cannot be reached it waits, too.
   * Nothing is read before it is asked for, so whoever asks sets the pace. Empty when it has ended.
   */
  async next(): Promise<readonly OwnedEvent[]> {
    while (!this.#hasEnded) {
      const events = this.tail.after(this.position) ?? (await this.#page());
      if (events.length > 0) {
        this.position = events.at(-1)!.seq;
        return events;
      }
      if (!this.#hasEnded) await this.#sleep();
    }
    return [];
  }

  /** There may be something to look at. */
  wake(): void {
    this.#wake();
  }

  /** Whoever waits in `next` has an answer at once. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.onEnd();
    this.#wake();
  }

  async #page(): Promise<readonly OwnedEvent[]> {
    for (;;) {
      try {
        return await this.page(this.position);
      } catch (error) {
        if (!(error instanceof DomainError) || error.code !== 'unavailable') throw error;
        if (!this.#hasEnded) await this.#sleep(RETRY_MS);
        if (this.#hasEnded) return [];
      }
    }
  }

  /** Until it is woken, or for so long. */
  #sleep(mostMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = mostMs === undefined ? undefined : setTimeout(resolve, mostMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
