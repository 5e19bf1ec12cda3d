// The newest events of a pool that is followed, read once for all of its followers.

import type { OwnedEvent } from '../reading/views.js';

/** More than come between two looks of a follower that keeps up; who falls further behind reads pages. */
const KEPT = 500;

export class PoolTail {
  /** Told when there are news. */
  readonly followers = new Set<{ wake(): void }>();
  readonly #kept: OwnedEvent[] = [];

  /** @param lastSeq of the newest event there is; nothing up to it is kept */
  constructor(
    readonly poolName: string,
    private lastSeq: number,
  ) {}

  get reaches(): number {
    return this.lastSeq;
  }

  /** The events after a seq, oldest first; undefined when some of them are not kept any more. */
  after(seq: number): readonly OwnedEvent[] | undefined {
    if (seq >= this.lastSeq) return [];
    // From the end, where those look who keep up. After a restore the numbers have a gap: nothing can be counted.
    const place = this.#kept.findLastIndex((event) => event.seq <= seq) + 1;
    return place > 0 || this.#kept[0]?.seq === seq + 1 ? this.#kept.slice(place) : undefined;
  }

  /** @param events those that follow on what it reaches, one at least */
  add(events: readonly OwnedEvent[]): void {
    this.#kept.push(...events);
    this.#kept.splice(0, this.#kept.length - KEPT);
    this.lastSeq = events.at(-1)!.seq;
    for (const follower of this.followers) follower.wake();
  }
}
