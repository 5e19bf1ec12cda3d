// One reader of a pool's feed, which never ends: first pages of past events, then new events, without gaps or repeats.

import { DomainError } from '../kernel/domain-error.js';
import type { EventBuffer } from './event-buffer.js';
import type { OwnedEvent } from '../reading/views.js';

/** The pause before the subscription asks an unreachable store again. */
const RETRY_MS = 1000;

export class FeedSubscription {
  #wake = (): void => undefined;
  #hasEnded = false;

  /**
   * @param position the seq after which the subscription continues
   * @param page reads events after a seq, oldest first
   */
  constructor(
    private readonly buffer: EventBuffer,
    private position: number,
    private readonly page: (after: number) => Promise<readonly OwnedEvent[]>,
    private readonly onEnd: () => void,
  ) {}

  get poolName(): string {
    return this.buffer.poolName;
  }

  /** The seq of the last event that `next` returned, or the seq at which the subscription began. */
  get reaches(): number {
    return this.position;
  }

  /** How many known events `next` has not returned yet. */
  get isBehindBy(): number {
    return Math.max(0, this.buffer.reaches - this.position);
  }

  /**
   * Waits until there are new events, also while the store is unreachable, and returns at least one, oldest first.
   * Returns an empty array only when the subscription has ended. The caller sets the pace: the subscription reads
   * nothing between two calls.
   * @throws what the store throws, except `unavailable`
   */
  async next(): Promise<readonly OwnedEvent[]> {
    while (!this.#hasEnded) {
      const events = this.buffer.after(this.position) ?? (await this.#page());
      if (events.length > 0) {
        this.position = events.at(-1)!.seq;
        return events;
      }
      if (!this.#hasEnded) await this.#sleep();
    }
    return [];
  }

  /** Makes a waiting `next` look for events again. */
  wake(): void {
    this.#wake();
  }

  /** Ends the subscription. A waiting `next` returns at once. */
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

  /** Waits for `wake`, or for `mostMs` milliseconds if that comes first. */
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
