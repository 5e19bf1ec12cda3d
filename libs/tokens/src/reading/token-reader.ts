// The port for reading. No aggregate, no lock: views straight from the store, with every lease judged by the
// store's clock, so that an overdue one is never shown as active.

import type { EndReason } from '../pool/token-event.js';
import type {
  EventPage,
  FeedPage,
  HistoryPage,
  LeaseAgesView,
  NewsView,
  OwnedDetails,
  OwnedEvent,
  OwnedToken,
  OwnedUse,
  PoolView,
  RecordedEventView,
  StoredPoolLook,
  TokenPage,
} from './views.js';

export interface PageRequest {
  readonly limit: number;
  /** `next_cursor` of the page before; opaque to everybody but the reader. */
  readonly cursor?: string;
}

export interface TokenQuery extends PageRequest {
  readonly poolName: string;
  readonly status: 'all' | 'available' | 'active';
  readonly userId?: string;
  /** With `userId`: only leases of this key. */
  readonly keyId?: string;
}

/** What is left out counts as anything. */
export interface EventFilter {
  readonly actor?: string;
  readonly requestId?: string;
  /** The key that looks: only events about its leases, and of them those whose actor it may see (visibility.ts). */
  readonly keyId?: string;
}

/** Where a token is, or was before it was deleted. */
export interface Whereabouts {
  readonly pool: string;
  readonly isDeleted: boolean;
}

/** Events that one search looks at: some tens of milliseconds. */
export const SCANNED = 50_000;

/** Everything here throws DomainError `unavailable` when the database cannot be reached in time. */
export abstract class TokenReader {
  /**
   * The same reader for one caller, who may hang up: from then on it asks the store nothing more, gives up what it is
   * asking, and throws `unavailable`.
   */
  abstract until(gone: AbortSignal): TokenReader;

  /** One question to the store, whether the token is there, was deleted or never was. @throws DomainError `token_not_found` */
  abstract locate(tokenId: string): Promise<Whereabouts>;

  /** @throws DomainError `token_not_found`, `token_deleted` */
  abstract token(tokenId: string): Promise<OwnedDetails>;

  /**
   * As it was shown at an instant, in RFC 3339; also one that was deleted later.
   * @throws DomainError `token_not_found`, `token_deleted` by then; `history_dropped`; `invalid_request` for an instant to come
   */
  abstract tokenAsOf(tokenId: string, at: string): Promise<OwnedDetails>;

  /**
   * Its counts as they were shown at an instant, in RFC 3339, with the policy of today.
   * @throws DomainError `pool_not_found`, also before its first token; `history_dropped`; `invalid_request` for an instant to come, or where it
   * cannot be told
   */
  abstract poolAsOf(poolName: string, at: string): Promise<PoolView>;

  /**
   * `active` oldest lease first; `available` in the order they will be handed out; `all` by id.
   * @throws DomainError `pool_not_found`; `invalid_request` for a bad cursor, `position_unknown` for one of another database
   */
  abstract tokens(query: TokenQuery): Promise<TokenPage<OwnedToken>>;

  /** Newest first, also of a deleted token. @throws DomainError `token_not_found`; `invalid_request`, `position_unknown` as `tokens` */
  abstract events(tokenId: string, page: PageRequest): Promise<EventPage<OwnedEvent>>;

  /** Newest first, also of a deleted token. @throws DomainError `token_not_found`; `invalid_request`, `position_unknown` as `tokens` */
  abstract history(tokenId: string, page: PageRequest): Promise<HistoryPage<OwnedUse>>;

  /** How a lease of this token, and of this key if one is given, ended; null when the id names none that is over. */
  abstract endOf(
    tokenId: string,
    leaseId: string,
    keyId?: string | null,
  ): Promise<{ end_reason: EndReason; ended_at: string } | null>;

  /** @param names of those that are wanted, as far as they exist; null: all */
  abstract pools(names?: ReadonlySet<string> | null): Promise<PoolView[]>;

  /** @throws DomainError `pool_not_found` */
  abstract pool(poolName: string): Promise<PoolView>;

  /** Of all pools. */
  abstract leaseAges(): Promise<LeaseAgesView[]>;

  /**
   * Lets a function look at a pool as it is written down, overdue leases still open, in one snapshot, which holds up nobody. Where the
   * snapshot is lost, it looks again from the beginning.
   * @throws DomainError `pool_not_found`, and what the function throws
   */
  abstract stored<T>(poolName: string, look: (pool: StoredPoolLook) => T | Promise<T>): Promise<T>;

  /** Events after a seq, oldest first; none of a pool that does not exist. */
  abstract storedEvents(poolName: string, after: number, limit: number): Promise<RecordedEventView[]>;

  /** The seq after which a pool's events begin, as those before were dropped; 0: all are there. */
  abstract feedBegins(poolName: string): Promise<number>;

  /**
   * The seqs of each pool up to which all were given or, at a restore, passed over: no position is beyond. A pool that does
   * not exist is left out.
   */
  abstract seqsGiven(poolNames: readonly string[]): Promise<ReadonlyMap<string, number>>;

  /**
   * Events after a seq, oldest first, without gaps.
   * @throws DomainError `pool_not_found`, `history_dropped`; `position_unknown` for a seq that was never given
   */
  abstract feed(poolName: string, after: number, limit: number): Promise<FeedPage<OwnedEvent>>;

  /**
   * Those of the events after a seq that a filter lets through, oldest first. No more than SCANNED events are looked at: the
   * page says up to which. @throws DomainError as `feed`
   */
  abstract search(poolName: string, after: number, limit: number, filter: EventFilter): Promise<FeedPage<OwnedEvent>>;

  /** Of several pools at once, the first events after a seq of each, so many a pool; a pool without any is left out. */
  abstract news(after: ReadonlyMap<string, number>, limit: number): Promise<NewsView[]>;
}
