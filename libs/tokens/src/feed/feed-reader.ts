// The port for reading the feeds of pools.

import type { FeedPage, NewEventsView, OwnedEvent } from '../reading/views.js';

/** A field that is left out matches every event. */
export interface EventFilter {
  readonly actor?: string;
  readonly requestId?: string;
  /** The key of the reader: only events about its leases match, and only if it may see their actor (visibility.ts). */
  readonly keyId?: string;
}

/** The number of events that one search examines, which takes some tens of milliseconds. */
export const SCANNED = 50_000;

/** Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class FeedReader {
  /** The same reader for one caller, who may hang up (TokenReader.until). */
  abstract until(gone: AbortSignal): FeedReader;

  /**
   * At most `limit` events after a seq, oldest first, without gaps.
   * @throws DomainError `pool_not_found`, `history_dropped`; `position_unknown` for a seq that the pool has never given
   */
  abstract page(poolName: string, after: number, limit: number): Promise<FeedPage<OwnedEvent>>;

  /**
   * At most `limit` of the events after a seq that match the filter, oldest first. A search examines at most SCANNED
   * events; `scanned_to` of the page is the seq of the last one.
   * @throws DomainError as `page`
   */
  abstract search(poolName: string, after: number, limit: number, filter: EventFilter): Promise<FeedPage<OwnedEvent>>;

  /**
   * The first events after a seq of each pool, oldest first, at most `limit` a pool. Pools without such events are left
   * out.
   * @param after the seq by the name of the pool
   */
  abstract newEvents(after: ReadonlyMap<string, number>, limit: number): Promise<NewEventsView[]>;

  /** The seq after which a pool's events begin, because the earlier ones were dropped; 0 when none were. */
  abstract begins(poolName: string): Promise<number>;

  /**
   * For each pool the highest seq that it has given, or passed over at a restore: no valid position is higher. Pools
   * that do not exist are left out.
   */
  abstract seqsGiven(poolNames: readonly string[]): Promise<ReadonlyMap<string, number>>;
}
