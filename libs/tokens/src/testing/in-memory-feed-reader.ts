// Reads feeds in memory. test/database/readers.spec.ts runs the same tests on it as on the PostgreSQL reader.

import { FeedReader, SCANNED, type EventFilter } from '../feed/feed-reader.js';
import { callerGone, poolNotFound, seqUnknown } from '../kernel/domain-error.js';
import type { FeedPage, NewEventsView, OwnedEvent } from '../reading/views.js';
import { maySeeActor, maySeeEvent } from '../reading/visibility.js';
import type { InMemoryTokenPoolRepository } from './in-memory-token-pool-repository.js';
import { eventView } from './views.js';

export class InMemoryFeedReader extends FeedReader {
  constructor(
    private readonly repository: InMemoryTokenPoolRepository,
    private readonly gone?: AbortSignal,
  ) {
    super();
  }

  until(gone: AbortSignal): InMemoryFeedReader {
    return new InMemoryFeedReader(this.repository, gone);
  }

  async page(poolName: string, after: number, limit: number): Promise<FeedPage<OwnedEvent>> {
    const { events, last_seq } = this.#after(poolName, after, limit);
    return { pool: poolName, events, last_seq, restores: [] };
  }

  async search(
    poolName: string,
    after: number,
    limit: number,
    { actor, requestId, keyId }: EventFilter,
  ): Promise<FeedPage<OwnedEvent>> {
    const { events: scanned, last_seq } = this.#after(poolName, after, SCANNED);
    const viewer = { keyId: keyId ?? null, mayOperate: keyId === undefined };
    const found = scanned.filter(
      (event) =>
        (actor === undefined || event.actor === actor) &&
        (requestId === undefined || event.request_id === requestId) &&
        maySeeEvent(viewer, event) &&
        maySeeActor(viewer, event),
    );
    const events = found.slice(0, limit);
    const isFull = events.length === limit;
    const scanned_to = isFull ? events.at(-1)!.seq : Math.max(after, Math.min(after + SCANNED, last_seq));
    return { pool: poolName, events, last_seq, restores: [], scanned_to };
  }

  async newEvents(after: ReadonlyMap<string, number>, limit: number): Promise<NewEventsView[]> {
    const pools = this.#names().filter((pool) => after.has(pool));
    return pools.toSorted().flatMap((pool) => {
      const { events, now } = this.repository.look(pool);
      const added = events.slice(after.get(pool), after.get(pool)! + limit);
      if (!added[0]) return [];
      const delay_seconds = (now - added[0].recordedAt) / 1_000_000;
      return [{ pool, events: added.map((event) => eventView(pool, event)), delay_seconds }];
    });
  }

  /** The repository in memory drops no events. */
  async begins(): Promise<number> {
    this.#names();
    return 0;
  }

  async seqsGiven(poolNames: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const existing = this.#names().filter((name) => poolNames.includes(name));
    return new Map(existing.map((name) => [name, this.repository.look(name).state.lastSeq]));
  }

  #names(): readonly string[] {
    if (this.gone?.aborted) throw callerGone();
    return this.repository.poolNames;
  }

  #after(poolName: string, after: number, limit: number): { events: OwnedEvent[]; last_seq: number } {
    if (!this.#names().includes(poolName)) throw poolNotFound(poolName);
    const { events, state } = this.repository.look(poolName);
    if (after > state.lastSeq) throw seqUnknown(poolName, after, state.lastSeq, 0);
    const page = events.slice(after, after + limit).map((event) => eventView(poolName, event));
    return { events: page, last_seq: state.lastSeq };
  }
}
