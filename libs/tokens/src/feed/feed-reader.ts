// The port for reading the feeds of pools.

import type { FeedPage, NewsView, OwnedEvent } from '../reading/views.js';

/** What is left out counts as anything. */
export interface EventFilter {
  readonly actor?: string;
  readonly requestId?: string;
  /** The key that looks: only events about its leases, and of them those whose actor it may see (visibility.ts). */
  readonly keyId?: string;
}

/** Events that one search looks at: some tens of milliseconds. */
export const SCANNED = 50_000;

/** Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class FeedReader {
  /** The same reader for one caller, who may hang up (TokenReader.until). */
  abstract until(gone: AbortSignal): FeedReader;

  /**
   * Events after a seq, oldest first, without gaps.
   * @throws DomainError `pool_not_found`, `history_dropped`; `position_unknown` for a seq that was never given
   */
  abstract page(poolName: string, after: number, limit: number): Promise<FeedPage<OwnedEvent>>;

  /**
   * Those of the events after a seq that a filter lets through, oldest first. No more than SCANNED events are looked at: the
   * page says up to which. @throws DomainError as `page`
   */
  abstract search(poolName: string, after: number, limit: number, filter: EventFilter): Promise<FeedPage<OwnedEvent>>;

  /** Of several pools at once, the first events after a seq of each, so many a pool; a pool without any is left out. */
  abstract news(after: ReadonlyMap<string, number>, limit: number): Promise<NewsView[]>;

  /** The seq after which a pool's events begin, as those before were dropped; 0: all are there. */
  abstract begins(poolName: string): Promise<number>;

  /**
   * The seqs of each pool up to which all were given or, at a restore, passed over: no position is beyond. A pool that does
   * not exist is left out.
   */
  abstract seqsGiven(poolNames: readonly string[]): Promise<ReadonlyMap<string, number>>;
}
