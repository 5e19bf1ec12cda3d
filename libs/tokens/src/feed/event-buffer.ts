// The newest events of a pool that has subscriptions. The feed reads them once for all of these subscriptions.

import type { OwnedEvent } from '../reading/views.js';

/** More events than arrive between two polls. A subscription that falls further behind reads pages from the store. */
const CAPACITY = 500;

export class EventBuffer {
  /** The buffer wakes these when it receives new events. */
  readonly subscriptions = new Set<{ wake(): void }>();
  readonly #events: OwnedEvent[] = [];

  /** @param lastSeq the seq of the pool's newest event; the buffer holds only later ones */
  constructor(
    readonly poolName: string,
    private lastSeq: number,
  ) {}

  /** The seq of the newest event that the buffer knows of. */
  get reaches(): number {
    return this.lastSeq;
  }

  /** The events after a seq, oldest first; undefined when the buffer no longer holds all of them. */
  after(seq: number): readonly OwnedEvent[] | undefined {
    if (seq >= this.lastSeq) return [];
    // The search starts at the end, because most subscriptions keep up. It compares seqs and does not count, because a
    // restore leaves a gap in them.
    const place = this.#events.findLastIndex((event) => event.seq <= seq) + 1;
    return place > 0 || this.#events[0]?.seq === seq + 1 ? this.#events.slice(place) : undefined;
  }

  /** @param events at least one, the first of which follows directly on `reaches` */
  add(events: readonly OwnedEvent[]): void {
    this.#events.push(...events);
    this.#events.splice(0, this.#events.length - CAPACITY);
    this.lastSeq = events.at(-1)!.seq;
    for (const subscription of this.subscriptions) subscription.wake();
  }
}
